public import Logging

/// What `worker` is told.
public struct WorkerSettings: Sendable {
    public var queue = QueueChoice.memory
    public var concurrency = 8
    public var failsFirstAttempts = false

    public init() {}

    /// Runs jobs until the process is told to end.
    public func run(logger: Logger) async throws {
        guard !self.queue.isMemory else {
            throw StartError("--queue memory: lives within one process; name the file that the instances use, as sqlite:FILE")
        }
        guard self.concurrency > 0 else { throw StartError("--concurrency \(self.concurrency): must be at least 1") }
        try await ServiceRunner(logger: logger).run {
            let queue = try Jobs.open(self.queue, logger: logger)
            let mailer = LogMailer(logger: logger, failsFirstAttempts: self.failsFirstAttempts)
            return [
                Jobs.worker(on: queue, concurrency: self.concurrency, mailer: mailer),
                WhenRunning { logger.notice("running jobs", metadata: ["concurrency": "\(self.concurrency)"]) },
            ]
        }
    }
}
