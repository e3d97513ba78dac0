/// Why a job failed, in the form in which results carry it: a type, a message and a module, which a Python client turns into an
/// exception of that type.
///
/// Throw it from a handler to say precisely what a caller shall see; `module: "builtins"` with a Python name (`ValueError`,
/// `TimeoutError`) is raised as that exception there. **Whatever stands in `message` is stored, shown in Flower and sent to callers:
/// put no secret into it.** Errors of other types are reported by their type's name alone, since their descriptions may hold anything.
public struct JobFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// `exc_type`: the name of the exception's class.
    public var type: String
    /// `exc_message`, its first argument.
    public var message: String
    /// `exc_module`.
    public var module: String
    /// Whether the retry policy applies. A failure that no retry can mend is permanent.
    public var isPermanent: Bool

    public init(_ type: String, _ message: String, module: String = "builtins", isPermanent: Bool = false) {
        self.type = type
        self.message = message
        self.module = module
        self.isPermanent = isPermanent
    }

    public var description: String { "\(self.type): \(self.message)" }
}

/// An error that knows how it wants to be reported in a job's result.
///
/// The same care applies: what ``jobFailure`` says is stored and shown to callers.
public protocol JobFailureConvertible: Error {
    var jobFailure: JobFailure { get }
}

extension JobFailure: JobFailureConvertible {
    public var jobFailure: JobFailure { self }
}

extension JobFailure {
    /// How a handler's error is reported.
    package init(of error: any Error) {
        if let convertible = error as? any JobFailureConvertible {
            self = convertible.jobFailure
            return
        }
        let name = String(reflecting: Swift.type(of: error))
        let module = name.prefix { $0 != "." }
        self.init(
            String(describing: Swift.type(of: error)), "the job threw \(name)", module: "swift.\(module)", isPermanent: false)
    }

    static func revoked(_ reason: String) -> JobFailure {
        JobFailure("TaskRevokedError", reason, module: "celery.exceptions", isPermanent: true)
    }

    static func notRegistered(_ task: String) -> JobFailure {
        JobFailure("NotRegistered", task, module: "celery.exceptions", isPermanent: true)
    }

    static func malformed(_ reason: MalformedMessage) -> JobFailure {
        JobFailure("Reject", reason.description, module: "celery.exceptions", isPermanent: true)
    }

    static func hardTimeLimit(_ limit: Duration) -> JobFailure {
        JobFailure("TimeLimitExceeded", "\(limit)", module: "billiard.exceptions", isPermanent: true)
    }

    static func softTimeLimit(_ limit: Duration) -> JobFailure {
        JobFailure("SoftTimeLimitExceeded", "\(limit)", module: "billiard.exceptions", isPermanent: false)
    }

    static func workerLost(_ losses: Int) -> JobFailure {
        JobFailure("WorkerLostError", "the worker was lost \(losses) times", module: "billiard.exceptions", isPermanent: true)
    }
}
