/// What went wrong with a command, a connection or a setting, and whether the command may have been executed.
///
/// Neither the message nor the description holds an argument, a value or a credential: of the server's own sentences, what they quote is
/// left out (see ``RedisServerError``).
public struct RedisError: Error, Sendable, CustomStringConvertible {
    /// What is known about the command's effect on the server.
    public enum Outcome: Sendable, Hashable {
        /// The command was never written, or the server refused it: doing it again is safe.
        case notExecuted
        /// The command was written and its reply never came, or does not tell: it may have taken effect, or a part of it, or not.
        case unknown
    }

    /// The kind of failure. More kinds may be added.
    public var code: Code

    /// A sentence for people.
    public var message: String

    /// `host:port` of the server, where one is known.
    public var address: String?

    /// The command's name, where the failure belongs to one. Never its arguments.
    public var command: String?

    /// Whether the command may have taken effect.
    public var outcome: Outcome

    /// The server's own error reply, when ``code`` is ``Code/server`` or ``Code/authenticationFailed``, or when it is
    /// ``Code/connectionFailed`` because the server turned the connection away.
    public var serverError: RedisServerError?

    public init(
        code: Code,
        message: String,
        address: String? = nil,
        command: String? = nil,
        outcome: Outcome = .notExecuted,
        serverError: RedisServerError? = nil
    ) {
        self.code = code
        self.message = message
        self.address = address
        self.command = command
        self.outcome = outcome
        self.serverError = serverError
    }

    public var description: String {
        var text = "\(self.code): \(self.message)"
        if let command = self.command { text += " [command \(command)]" }
        if let address = self.address { text += " [server \(address)]" }
        if self.outcome == .unknown { text += " [the command may have been executed]" }
        return text
    }
}

extension RedisError {
    static let clientShutDown = RedisError(code: .clientShutDown, message: "the client was shut down")
}

extension RedisError {
    /// The kinds of failure; compare with `==`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case invalidConfiguration, invalidCommand, connectionFailed, authenticationFailed, connectionLost, timeout
            case overloaded, protocolViolation, server, unexpectedReply, clientShutDown
        }

        private let kind: Kind

        /// A URL, a file or a setting that cannot be used. Nothing was sent.
        public static let invalidConfiguration = Code(kind: .invalidConfiguration)
        /// A command that cannot be encoded, or that may not be sent on this connection. Nothing was sent.
        public static let invalidCommand = Code(kind: .invalidCommand)
        /// No connection could be had within `connectTimeout`. Nothing was sent.
        public static let connectionFailed = Code(kind: .connectionFailed)
        /// The server refused the credentials, or asks for some that were not given. Nothing was sent.
        public static let authenticationFailed = Code(kind: .authenticationFailed)
        /// The connection ended before the reply came; see ``RedisError/outcome``.
        public static let connectionLost = Code(kind: .connectionLost)
        /// No reply within `commandTimeout`, or no turn to be sent within it; see ``RedisError/outcome``.
        public static let timeout = Code(kind: .timeout)
        /// More callers wait than `maximumWaiting` allows. Nothing was sent.
        public static let overloaded = Code(kind: .overloaded)
        /// The server sent bytes that are not RESP2, or that exceed a limit; the connection was closed.
        public static let protocolViolation = Code(kind: .protocolViolation)
        /// The server answered with an error; see ``RedisError/serverError``.
        public static let server = Code(kind: .server)
        /// The server answered with a reply of another type than the command has.
        public static let unexpectedReply = Code(kind: .unexpectedReply)
        /// The client was shut down. Nothing was sent.
        public static let clientShutDown = Code(kind: .clientShutDown)

        public var description: String { self.kind.rawValue }
    }
}
