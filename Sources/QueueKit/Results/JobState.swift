/// Where a job stands, by Celery's names.
///
/// An open set: a task may report states of its own (Celery's documentation calls one `PROGRESS`).
public struct JobState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Enqueued and waiting — or unknown, when a store that does not record enqueued jobs is asked.
    public static let pending = JobState(rawValue: "PENDING")
    /// A worker runs it.
    public static let started = JobState(rawValue: "STARTED")
    /// It failed and waits to be tried again.
    public static let retry = JobState(rawValue: "RETRY")
    /// It is done, and its result is there.
    public static let success = JobState(rawValue: "SUCCESS")
    /// It failed for good.
    public static let failure = JobState(rawValue: "FAILURE")
    /// It was called off: expired before it began, or revoked.
    public static let revoked = JobState(rawValue: "REVOKED")

    /// Whether the job will not change any more.
    public var isFinal: Bool { self == .success || self == .failure || self == .revoked }

    /// Whether the result must be an exception's description: a Python client raises on any other.
    package var carriesFailure: Bool { self == .retry || self == .failure || self == .revoked }

    public var description: String { self.rawValue }
}
