public import Logging

/// What `worker` is told.
public struct WorkerSettings: Sendable {
    public var queue = QueueChoice.memory
    /// Where results of jobs on RabbitMQ are kept.
    public var results = StoreChoice.memory
    public var concurrency = 8
    public var failsFirstAttempts = false
    public var patience = Patience()

    public init() {}

    /// Runs jobs until the process is told to end.
    public func run(logger: Logger) async throws {
        guard !self.queue.isMemory else {
            throw StartError("--queue memory: lives within one process; name what the instances use, as sqlite:FILE or amqp://HOST")
        }
        guard self.concurrency > 0 else { throw StartError("--concurrency \(self.concurrency): must be at least 1") }
        try self.patience.check()
        try await ServiceRunner(logger: logger).run {
            var clients = RedisClients(patience: self.patience, logger: logger)
            let jobs = try await Jobs.open(self.queue, results: self.results, clients: &clients, patience: self.patience, logger: logger)
            clients.warnOfUnreached()
            await clients.warnOfAdvice(on: Life.ofJobs(self.queue))
            let mailer = LogMailer(logger: logger, failsFirstAttempts: self.failsFirstAttempts)
            return clients.all + jobs.services + [
                Jobs.worker(on: jobs.queue, concurrency: self.concurrency, mailer: mailer),
                WhenRunning { logger.notice("running jobs", metadata: ["concurrency": "\(self.concurrency)"]) },
            ]
        }
    }
}
