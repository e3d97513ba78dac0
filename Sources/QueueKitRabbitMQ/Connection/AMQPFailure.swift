internal import CScaleRabbitMQ
internal import QueueKit

/// Why an AMQP call failed, and what is left of the connection.
enum AMQPFailure: Error, Sendable {
    /// The server closed the channel, which has been opened again: the call was refused.
    case refused(code: Int, text: String)
    /// The connection is gone.
    case lost(String)
    /// The server takes no connection from this user, or not to this virtual host.
    case denied(String)

    /// What the server gave as the reason when it closed the connection.
    static func closed(code: Int, text: String) -> AMQPFailure {
        let reason = "the server closed it with \(code): \(text)"
        return [Self.accessRefused, Self.notAllowed].contains(code) ? .denied(reason) : .lost(reason)
    }

    /// Reply codes of AMQP 0-9-1: for user and password, for a virtual host, and for what exists with other arguments.
    private static let (accessRefused, notAllowed, preconditionFailed) = (403, 530, 406)

    /// What rabbitmq-c says of one of its status numbers.
    static func status(_ call: String, _ status: Int32) -> AMQPFailure {
        .lost("\(call): \(String(cString: amqp_error_string2(status)))")
    }

    /// As users of a broker know it. The server's text may quote names; it holds no arguments and no secrets.
    func error(queue: String? = nil) -> QueueError {
        switch self {
        case .refused(let code, let text):
            // The server gives the same answer until somebody changes what is there.
            QueueError(
                code: [Self.accessRefused, Self.preconditionFailed].contains(code) ? .accessRefused : .unavailable,
                message: "RabbitMQ refused with \(code): \(text)", queue: queue)
        case .lost(let reason): QueueError(code: .unavailable, message: "the connection to RabbitMQ was lost: \(reason)", queue: queue)
        case .denied(let reason): QueueError(code: .accessRefused, message: "RabbitMQ takes no connection: \(reason)", queue: queue)
        }
    }

    /// For a publication: what fails is the message itself, by a property that the server does not take, or by its size.
    func error(publishingTo queue: String) -> QueueError {
        var error = self.error(queue: queue)
        if case .refused(Self.preconditionFailed, _) = self { error.code = .invalidJob }
        return error
    }

    /// An error of opening a connection, for logs and for the errors of those who wait for it.
    static func words(for error: any Error) -> String {
        switch error {
        case let failure as AMQPFailure: failure.error().message
        case let error as QueueError: error.message
        default: String(reflecting: type(of: error))
        }
    }
}
