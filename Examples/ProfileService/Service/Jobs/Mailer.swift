public import Logging
import QueueKit

/// Sends e-mail.
public protocol Mailer: Sendable {
    /// - Parameter attempt: how often the same mail was tried before.
    func notify(userID: Int64, attempt: Int) async throws
}

/// A mailer for demonstrations: it writes to the log.
public struct LogMailer: Mailer {
    private let logger: Logger
    private let failsFirstAttempts: Bool

    /// - Parameter failsFirstAttempts: refuses each mail once, as a mail server does that greylists (RFC 6647), to show retries.
    public init(logger: Logger, failsFirstAttempts: Bool = false) {
        self.logger = logger
        self.failsFirstAttempts = failsFirstAttempts
    }

    public func notify(userID: Int64, attempt: Int) async throws {
        if self.failsFirstAttempts, attempt == 0 {
            throw JobFailure("SMTPTemporaryError", "451 greylisted, try again later")
        }
        self.logger.info("mail sent", metadata: ["user": "\(userID)", "attempt": "\(attempt)"])
    }
}
