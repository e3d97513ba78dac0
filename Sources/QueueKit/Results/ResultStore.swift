/// Where states and results of jobs are kept for those who hold a receipt.
///
/// **Rules.** `PENDING` is recorded only for a job that is not known yet; a recorded `SUCCESS` is never replaced, so that a worker that
/// was thought lost cannot undo it (Celery's backends keep the same rule). ``JobStatus/mayReplace(_:)`` states them; a store applies them
/// atomically. Whoever waits for a job learns of its end without polling where the store can tell.
///
/// Stores bound their growth: results expire some time after the job has ended. Errors are ``QueueError``s.
public protocol ResultStore: Sendable {
    /// Records where a job stands; `false` when the rules keep what is there.
    @discardableResult func record(_ status: JobStatus) async throws -> Bool

    /// What is known about a job; `nil` when nothing is, or not any more.
    func status(of id: JobID) async throws -> JobStatus?

    /// Waits for the job's end, for `timeout` at most; `nil` when it has not come by then. Throws `CancellationError` when cancelled.
    func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus?

    /// Removes what is known about a job that is still `PENDING`: it could not be published after all.
    func withdraw(_ id: JobID) async throws
}

extension JobStatus {
    /// Whether a store may replace `known` by this status.
    public func mayReplace(_ known: JobStatus?) -> Bool {
        guard let known else { return true }
        return self.state != .pending && known.state != .success
    }
}
