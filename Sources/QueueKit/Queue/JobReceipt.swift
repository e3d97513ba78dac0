internal import ScaleCore

/// The caller's hold on a job: its id, its state and, in the end, its result.
///
/// It can be dropped, and got again from the id: ``JobQueue/receipt(for:of:)``.
public struct JobReceipt<Output: Codable & Sendable>: Sendable {
    public let id: JobID
    private let results: any ResultStore

    init(id: JobID, results: any ResultStore) {
        self.id = id
        self.results = results
    }

    /// Waits for the job's end and returns what its handler returned.
    ///
    /// - Throws: ``JobFailure`` when the job failed for good or was revoked; ``QueueError`` `.timeout` when it has not ended in time
    ///   (it goes on all the same), `.undecodableResult` when the result is not an `Output`; `CancellationError`.
    public func value(timeout: Duration) async throws -> Output {
        guard let status = try await self.results.finalStatus(of: self.id, within: timeout) else {
            throw QueueError(code: .timeout, message: "no result within \(timeout)", job: self.id)
        }
        guard status.state == .success else {
            throw status.failure ?? JobFailure("Exception", "\(status.state)")
        }
        do {
            return try PayloadDecoder.decode(Output.self, from: status.result)
        } catch {
            throw QueueError(code: .undecodableResult, message: "the result is not of type \(Output.self)", job: self.id)
        }
    }

    /// Where the job stands. `PENDING` also when the store does not know the job, or not any more, as with Celery.
    public func state() async throws -> JobState {
        try await self.status()?.state ?? .pending
    }

    /// What is known about the job; `nil` when nothing is, or not any more.
    public func status() async throws -> JobStatus? {
        try await self.results.status(of: self.id)
    }
}
