import NIOCore
import ScaleCore

/// The commands that make a fresh connection usable, and what their replies mean.
///
/// All are written at once. `PING` comes last and always: its reply proves that the server is not loading its data and wants no
/// password, before any caller's command is risked on it.
struct Greeting: Sendable {
    enum Step: Sendable, Hashable {
        case authenticate, setName, select, ping
    }

    /// What a reply to a step leads to.
    enum Verdict {
        case proceed
        /// The credentials are wrong or missing: trying again soon would change nothing.
        case refused(RedisError)
        /// The server cannot serve now, or the setting is wrong.
        case failed(RedisError)
    }

    var user: String?
    var password: Secret?
    var clientName: String?
    var database = 0

    var steps: [Step] {
        var steps: [Step] = []
        if self.password != nil { steps.append(.authenticate) }
        if self.clientName != nil { steps.append(.setName) }
        if self.database != 0 { steps.append(.select) }
        steps.append(.ping)
        return steps
    }

    func append(to buffer: inout ByteBuffer) {
        for step in self.steps { self.command(for: step).append(to: &buffer) }
    }

    private func command(for step: Step) -> RedisCommand {
        switch step {
        case .authenticate:
            RedisCommand("AUTH", [self.user, self.password?.reveal()].compactMap { $0.map { RedisArgument($0) } })
        case .setName: RedisCommand("CLIENT", ["SETNAME", RedisArgument(self.clientName ?? "")])
        case .select: RedisCommand("SELECT", [RedisArgument(self.database)])
        case .ping: RedisCommand("PING")
        }
    }

    /// Judges the reply to one step.
    static func judge(_ reply: RedisValue, to step: Step) -> Verdict {
        guard case .error(let error) = reply else { return .proceed }
        switch (step, error.kind) {
        case (.authenticate, "LOADING"), (.authenticate, "MASTERDOWN"), (.authenticate, "BUSY"), (.authenticate, "MAX"):
            return .failed(Self.failure(error, "the server is not ready"))
        case (.authenticate, _):
            return .refused(Self.refusal(error, "the server refused the user or password"))
        case (_, "NOAUTH"):
            return .refused(Self.refusal(error, "the server asks for a password and none is configured"))
        case (.setName, _), (.ping, "NOPERM"):
            // An ACL may forbid either; neither is needed for work.
            return .proceed
        case (.select, "NOPERM"):
            return .refused(Self.refusal(error, "the user may not select the database"))
        case (.select, _):
            return .failed(Self.failure(error, "the server does not have the database"))
        case (.ping, _):
            return .failed(Self.failure(error, "the server is not ready"))
        }
    }

    private static func refusal(_ error: RedisServerError, _ sentence: String) -> RedisError {
        RedisError(code: .authenticationFailed, message: "\(sentence): \(error.message)", serverError: error)
    }

    private static func failure(_ error: RedisServerError, _ sentence: String) -> RedisError {
        RedisError(code: .connectionFailed, message: "\(sentence): \(error.message)", serverError: error)
    }
}
