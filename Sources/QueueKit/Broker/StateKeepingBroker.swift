package import ScaleCore

/// A broker that keeps the states of jobs beside their messages, so that both change in one step: there is less to wait for, and no
/// moment at which one is known and the other is not.
///
/// It also tells by itself that a job has begun: a message that is leased with ``ReceiveRequest/startsJobs`` is delivered as
/// ``Delivery/isKnownAsStarted`` where that is so, and its `STARTED` need not be recorded.
package protocol StateKeepingBroker: Broker {
    /// Whether `results` keeps its states where this broker keeps its messages. The methods below are only for queues of which this is true.
    func keepsStates(of results: any ResultStore) -> Bool

    /// Publishes a message; its job is known as `PENDING` with that, unless it was known.
    func publishPending(_ message: Message, of job: JobID, to queue: String, notBefore: UTCTime?) async throws

    /// Records a job's success and acknowledges its message: both, or, when the lease has ended, neither.
    func acknowledge(_ lease: Lease, recording status: JobStatus) async throws
}
