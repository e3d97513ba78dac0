internal import Logging
public import ScaleCore
public import ServiceLifecycle

/// Runs jobs: takes messages from a queue's broker, up to so many at once, hands their payloads to handlers, and sees to it that every
/// message comes to an end — done, tried again, revoked or dead — whatever the handlers and the messages do.
///
/// ```swift
/// let worker = Worker(queue, concurrency: 32) {
///     $0.handle(SendEmailNotification.self) { job, context in try await mailer.send(to: job.userID) }
/// }
/// try await worker.run()
/// ```
///
/// **Delivery is at least once.** A message is acknowledged after its job's result has been recorded; while the result store does not
/// take it, the message comes back after a lease's time and the job runs again. A result that the store will never take, by its
/// ``QueueError`` `.unsupported`, `.messageTooLarge` or `.invalidJob`, makes the message a dead letter. While a job runs, its lease is
/// extended at every third of its length; a worker that dies or loses the broker for a whole lease loses the job to another worker, and
/// when it comes back, what it says about that message is refused and its handler's task is cancelled.
///
/// **Attempts are bounded.** A job that fails is tried again as its type's retry policy says, under the same id. A job whose worker was
/// lost more often than ``Configuration/maximumLosses`` fails with `WorkerLostError`. Messages that no worker can run (malformed, unknown
/// task, wrong arguments) fail at once. All of these become dead letters, which the broker keeps.
///
/// **What follows a job** in Celery's canvas is sent by this worker: callbacks, errbacks and the rest of a chain, groups and chords among
/// them. A job in the header of a chord tells the chord how it has ended, and the last one, in whatever language, sends the body. Chords
/// need results that count their parts (`QueueKitRedis`); with others whoever waits for one gets a `NotImplementedError`.
///
/// **Shutdown** (a graceful shutdown of its `ServiceGroup`): no more messages are taken; running jobs get ``Configuration/grace`` to end,
/// then their tasks are cancelled; a job that ends by that is given back to the broker at no cost. A handler that still does not
/// end is left behind when ``Configuration/cancellationGrace`` is over, and its job returns when its lease ends. Cancelling the
/// task that runs the worker is a shutdown without grace.
///
/// **Monitoring** is off unless ``Configuration/monitoring`` is set: then Flower lists the worker and its jobs, and `celery inspect` and
/// `celery control` reach it. A job that was revoked does not begin; `shutdown` is a shutdown as above; concurrency, queues, rates and time
/// limits change while it runs.
///
/// A worker can be run once.
public final class Worker: Service {
    /// How a worker behaves; right when empty.
    public struct Configuration: Sendable {
        /// The queues to take messages from, highest priority and oldest first over all of them; empty: the queue's default.
        public var queues: [String] = []
        /// The worker's name in leases and logs; `nil` is a fresh one.
        public var name: String?
        /// How long a message stays with this worker without word from it. Short leases let another worker take over sooner and
        /// cost more extensions; a lease shorter than the longest stall of the process runs jobs twice.
        public var lease: Duration = .seconds(60)
        /// How often the worker of one job may be lost before the job has failed.
        public var maximumLosses = 3
        /// How long running jobs may go on once a shutdown has begun.
        public var grace: Duration = .seconds(20)
        /// How long handlers may take to end once they have been cancelled by a shutdown.
        public var cancellationGrace: Duration = .seconds(5)
        /// How the worker is seen by Flower and steered by `celery control`; `nil`: it is not.
        public var monitoring: WorkerMonitoring?
        /// Where the jitter of retries comes from.
        public var random = RandomSource.system

        public init() {}
    }

    let queue: JobQueue
    let handlers: JobHandlers
    let configuration: Configuration
    let name: String
    let logger: Logger
    let slots: WorkerSlots
    /// `nil` when nobody watches.
    let monitor: WorkerMonitor?

    /// - Parameters:
    ///   - queue: whose broker, results, middleware and time are used.
    ///   - concurrency: how many jobs run at once; at least 1.
    ///   - register: registers the handlers.
    public init(
        _ queue: JobQueue, concurrency: Int = 8, configuration: Configuration = .init(), _ register: (inout JobHandlers) -> Void
    ) {
        var handlers = JobHandlers()
        register(&handlers)
        self.queue = queue
        self.handlers = handlers
        self.configuration = configuration
        self.name = configuration.name ?? "worker-" + RandomSource.system.uuid()
        var logger = queue.logger
        logger[metadataKey: "worker"] = "\(self.name)"
        self.logger = logger
        let limits = WorkerEngine.Limits(
            lease: max(configuration.lease, .milliseconds(1)), grace: configuration.grace,
            cancellationGrace: configuration.cancellationGrace)
        let queues = configuration.queues.isEmpty ? [queue.configuration.defaultQueue] : configuration.queues
        let settings = WorkerSettings(concurrency: concurrency, queues: queues)
        let slots = WorkerSlots(limits: limits, settings: settings, broker: queue.broker, time: queue.time, logger: logger)
        self.slots = slots
        self.monitor = Self.monitor(queue, handlers, configuration, settings, slots, logger)
    }

    /// Takes and runs jobs until the worker is shut down; see the type for what shutting down means.
    ///
    /// - Throws: ``QueueError`` `.closed` when the broker has been shut down under it. A broker that cannot be reached is waited for.
    public func run() async throws {
        self.logger.info("worker started", metadata: ["tasks": "\(self.handlers.tasks.joined(separator: ", "))"])
        defer { self.logger.info("worker stopped") }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                if let monitor { try await monitor.watch(during: self.takeJobs) } else { try await self.takeJobs() }
            } onCancel: {
                self.slots.shutdownNow()
            }
        } onGracefulShutdown: {
            self.slots.shutdown()
        }
    }

    /// Runs the jobs that are ready now, one after the other, and those that become ready by that; returns how many it ran.
    ///
    /// For tests and for programs that work off a queue and end. Do not use it beside ``run()``.
    @discardableResult public func drain(limit: Int = .max) async throws -> Int {
        var count = 0
        while count < limit, let delivery = try await self.receive(limit: 1, from: self.slots.settings.queues, waits: false).first {
            guard let slot = self.slots.admit(delivery.lease) else {
                try await self.queue.broker.release(delivery.lease)
                return count
            }
            await self.process(delivery, in: slot)
            count += 1
        }
        return count
    }

    func receive(limit: Int, from queues: [String], waits: Bool) async throws -> [Delivery] {
        var request = ReceiveRequest(
            queues: queues, limit: limit, lease: max(self.configuration.lease, .milliseconds(1)), owner: self.name, waits: waits)
        // Where rates are limited it may be long until a job begins.
        request.startsJobs = self.queue.states != nil && self.slots.settings.rates.isEmpty
        return try await self.queue.broker.receive(request)
    }
}
