internal import CScaleRabbitMQ
internal import QueueKit

/// Why an AMQP call failed, and what is left of the connection.
enum AMQPFailure: Error, Sendable {
    /// The server closed the channel, which has been opened again: the call was refused.
    case refused(code: Int, text: String)
    /// The connection is gone.
    case lost(String)

    /// What rabbitmq-c says of one of its status numbers.
    static func status(_ call: String, _ status: Int32) -> AMQPFailure {
        .lost("\(call): \(String(cString: amqp_error_string2(status)))")
    }

    /// As users of a broker know it. The server's text may quote names; it holds no arguments and no secrets.
    func error(queue: String? = nil) -> QueueError {
        switch self {
        case .refused(let code, let text): QueueError(code: .unavailable, message: "RabbitMQ refused with \(code): \(text)", queue: queue)
        case .lost(let reason): QueueError(code: .unavailable, message: "the connection to RabbitMQ was lost: \(reason)", queue: queue)
        }
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
