public import Logging

/// What a handler knows about the call it runs, beside the payload.
public struct JobContext: Sendable {
    public let id: JobID
    /// The task's name.
    public let task: String
    /// The queue that the message came from.
    public let queue: String
    /// How often the job has been tried before because it failed.
    public let retries: Int
    /// How often a worker was lost while it had the job. More than 0 means that a part of the work may have been done.
    public let losses: Int
    public let rootID: JobID?
    public let parentID: JobID?
    /// The caller's own headers.
    public let headers: JSONObject
    /// Of the worker's queue, without what is said about the job.
    let queueLogger: Logger

    /// Carries the job's id and task. Made anew at each use: most handlers write nothing.
    public var logger: Logger {
        var logger = self.queueLogger
        logger[metadataKey: "job"] = "\(self.id)"
        logger[metadataKey: "task"] = "\(self.task)"
        return logger
    }

    /// An error to throw when the job shall be tried again: `throw context.retry(after: .seconds(30))`.
    ///
    /// - Parameters:
    ///   - delay: how long to wait; `nil` is the back-off of the retry policy.
    ///   - reason: what the result shows meanwhile, and in the end when no retry is left.
    public func retry(after delay: Duration? = nil, because reason: JobFailure? = nil) -> any Error {
        RetryRequest(delay: delay, reason: reason)
    }
}

struct RetryRequest: Error {
    var delay: Duration?
    var reason: JobFailure?
}
