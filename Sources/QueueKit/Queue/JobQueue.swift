public import Logging
public import Metrics
public import ScaleCore
public import Tracing

/// Where jobs are enqueued: a broker for the messages, a store for states and results, and what holds for all calls.
///
/// ```swift
/// let queue = JobQueue()                                   // within the process; JobQueue(broker:results:) for other brokers
/// let receipt = try await queue.enqueue(SendEmailNotification(userID: 7), delay: .seconds(10))
/// let outcome = try await receipt.value(timeout: .seconds(30))
/// ```
///
/// A value: copies share broker and results.
public struct JobQueue: Sendable {
    /// What holds for all jobs of a queue unless a job's type or a call says otherwise.
    public struct Configuration: Sendable {
        /// Where jobs go that name no queue. Celery's default has the same name.
        public var defaultQueue = "celery"
        /// The longest body in bytes that is published. Large payloads belong into a store, with a reference in the job.
        public var maximumBodyBytes = 1024 * 1024
        /// Within which bounds bodies from elsewhere are read.
        public var limits = JSONLimits()
        /// How the process calls itself in the messages' `origin`, `name@host` as a rule.
        public var origin: String?
        /// Takes part in every job's way, in this order.
        public var middleware: [any JobMiddleware] = []
        /// Where counters go; `nil` is the process-wide metrics system.
        public var metrics: (any MetricsFactory)?
        /// Where spans go; `nil` is the process-wide tracer.
        public var tracer: (any Tracer)?

        public init() {}
    }

    public let broker: any Broker
    public let results: any ResultStore
    public let configuration: Configuration
    package let time: TimeSource
    package let logger: Logger
    /// The broker, if it keeps the states too.
    let states: (any StateKeepingBroker)?
    /// The results, if they count the parts of chords.
    let chords: (any ChordKeepingStore)?
    let metrics: QueueMetrics
    let tracing: QueueTracing

    /// - Parameter logger: gets names, ids and reasons, never arguments or results.
    public init(
        broker: any Broker, results: any ResultStore, configuration: Configuration = .init(), time: TimeSource = .system,
        logger: Logger = Logger(label: "QueueKit")
    ) {
        self.broker = broker
        self.results = results
        self.states = (broker as? any StateKeepingBroker).flatMap { $0.keepsStates(of: results) ? $0 : nil }
        self.chords = results as? any ChordKeepingStore
        self.configuration = configuration
        self.time = time
        self.logger = logger
        self.metrics = QueueMetrics(factory: configuration.metrics)
        self.tracing = QueueTracing(tracer: configuration.tracer)
    }

    /// A queue within the process. Jobs that wait are gone when it ends.
    public init(configuration: Configuration = .init(), time: TimeSource = .system, logger: Logger = Logger(label: "QueueKit")) {
        self.init(
            broker: MemoryBroker(time: time), results: MemoryResultStore(time: time), configuration: configuration, time: time,
            logger: logger)
    }

    /// Hands a job to the broker.
    ///
    /// When this returns, the job is known (its state is `PENDING` at least, unless results are ignored) and will run as surely as the broker keeps messages. When it
    /// throws ``QueueError/Code/unavailable``, the broker may or may not have the job: with an id of your own a second attempt can be told
    /// from a second job.
    ///
    /// - Parameters:
    ///   - delay: how long from now until a worker may have it.
    ///   - options: what shall be different for this one call.
    /// - Throws: ``QueueError``: `.invalidJob`, `.invalidQueueName`, `.messageTooLarge`, or what the broker reports; what a middleware
    ///   throws to refuse the job.
    @discardableResult
    public func enqueue<J: Job>(
        _ job: J, delay: Duration? = nil, options: EnqueueOptions = .init()
    ) async throws -> JobReceipt<J.Output> {
        try await self.tracing.withProducerSpan(of: J.name, queue: self.queueName(of: J.self, options)) { span in
            let prepared = try self.prepare(job, delay: delay, options: options)
            self.tracing.note(prepared.id, in: span)
            try await self.publish(prepared)
            self.wasEnqueued(prepared)
            return self.receipt(for: prepared.id, of: J.self)
        }
    }

    /// Hands a message to the broker, whose job is known before any worker can have it.
    private func publish(_ prepared: PreparedJob) async throws {
        let isRecorded = prepared.task.ignoresResult != true
        if isRecorded, let states {
            return try await states.publishPending(
                prepared.message, of: prepared.id, to: prepared.queue, notBefore: prepared.notBefore)
        }
        if isRecorded { try await self.results.record(prepared.status) }
        do {
            try await self.broker.publish(prepared.message, to: prepared.queue, notBefore: prepared.notBefore)
        } catch {
            if isRecorded { try? await self.results.withdraw(prepared.id) }
            throw error
        }
    }

    /// The receipt of a job that was enqueued elsewhere or earlier, by its id.
    public func receipt<J: Job>(for id: JobID, of job: J.Type) -> JobReceipt<J.Output> {
        JobReceipt(id: id, results: self.results)
    }

    /// What is known about a job of any type; `nil` when nothing is, or not any more.
    public func status(of id: JobID) async throws -> JobStatus? {
        try await self.results.status(of: id)
    }

    /// How many messages a queue holds; also reported as the gauge `queuekit_queue_depth`.
    ///
    /// - Parameter queue: `nil` is the default queue.
    public func counts(of queue: String? = nil) async throws -> QueueCounts {
        let queue = queue ?? self.configuration.defaultQueue
        let counts = try await self.broker.counts(of: queue)
        self.metrics.depth(counts, queue: queue)
        return counts
    }
}

/// What shall be different for one call of `enqueue`.
public struct EnqueueOptions: Sendable {
    /// The queue; `nil` is the job type's, or else the default queue.
    public var queue: String?
    /// Not before this time. With a `delay` as well, the later of both.
    public var notBefore: UTCTime?
    /// A job that no worker has begun after so long is revoked. Counts from now.
    public var expiresIn: Duration?
    /// 0…255, the larger first; `nil` is the job type's.
    public var priority: Int?
    /// An id of the caller's choice; `nil` is a fresh one.
    public var id: JobID?
    /// Headers of the caller's own. A Python task reads them as `request.headers`. Names that Celery uses itself are ignored.
    public var headers: JSONObject = [:]
    /// The job on whose behalf this one is enqueued, as the result shows it.
    public var parent: JobContext?
    /// Nobody will ask: neither states nor a result are recorded, by workers of any language (Celery's `ignore_result`). What makes
    /// the message a dead letter is still kept with it.
    public var ignoresResult: Bool

    public init(
        queue: String? = nil, notBefore: UTCTime? = nil, expiresIn: Duration? = nil, priority: Int? = nil, id: JobID? = nil,
        headers: JSONObject = [:], parent: JobContext? = nil, ignoresResult: Bool = false
    ) {
        self.queue = queue
        self.notBefore = notBefore
        self.expiresIn = expiresIn
        self.priority = priority
        self.id = id
        self.headers = headers
        self.parent = parent
        self.ignoresResult = ignoresResult
    }
}
