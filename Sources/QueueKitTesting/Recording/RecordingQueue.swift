public import QueueKit
internal import ScaleCore
public import ScaleTesting

/// A queue for tests: it records what is enqueued, and runs it when the test says so, on time that the test moves.
///
/// Jobs go through the real codec, middleware, worker and retry engine; only the broker and the clock are fakes.
///
/// ```swift
/// let jobs = RecordingQueue {
///     $0.handle(SendEmail.self) { job, _ in try await mailer.send(to: job.userID) }
/// }
/// let service = Service(queue: jobs.queue)
/// try await service.signUp("ada")
///
/// try jobs.expectEnqueued(SendEmail.self, delay: .zero ... .seconds(10)) { $0.userID == 7 }
/// try await jobs.drain()                       // runs what is ready
/// try await jobs.advance(by: .seconds(600))    // runs delayed jobs and retries, each at its time
/// ```
///
/// Without handlers, nothing but recording happens.
public final class RecordingQueue: Sendable {
    /// What the code under test is given.
    public let queue: JobQueue
    /// The time of everything here. Prefer ``advance(by:)``, which runs the jobs that become due on the way.
    public let time: ManualTime
    /// For faults and for all that the broker did.
    public let broker: FakeBroker
    private let worker: Worker

    /// - Parameters:
    ///   - configuration: of the queue under test, with its middleware.
    ///   - workerConfiguration: the queues to run jobs of, the lease, and the jitter's source, which is seeded by default.
    ///   - register: the handlers of the jobs that ``drain()`` and ``advance(by:)`` run.
    public init(
        configuration: JobQueue.Configuration = .init(), workerConfiguration: Worker.Configuration? = nil,
        _ register: (inout JobHandlers) -> Void = { _ in }
    ) {
        let time = ManualTime()
        let broker = FakeBroker(time: time.source)
        self.time = time
        self.broker = broker
        self.queue = JobQueue(
            broker: broker, results: MemoryResultStore(time: time.source), configuration: configuration, time: time.source)
        var worker = workerConfiguration ?? Worker.Configuration()
        if workerConfiguration == nil { worker.random = RandomSource(Seed(1).generator()) }
        self.worker = Worker(self.queue, concurrency: 1, configuration: worker, register)
    }

    /// Runs the jobs that are ready, one after the other, and those that they enqueue; returns how many it ran.
    ///
    /// - Parameter limit: ends a test whose jobs enqueue each other for ever.
    @discardableResult public func drain(limit: Int = 10_000) async throws -> Int {
        try await self.worker.drain(limit: limit)
    }

    /// Moves time, and runs delayed jobs and retries at the moment when each is due; returns how many runs there were.
    @discardableResult public func advance(by duration: Duration, limit: Int = 10_000) async throws -> Int {
        let target = self.time.now().advanced(by: duration)
        var count = try await self.drain(limit: limit)
        while count < limit, let next = self.broker.nextDeadline, next <= target {
            await self.time.advance(by: max(.zero, self.time.now().duration(to: next)))
            count += try await self.drain(limit: limit - count)
        }
        await self.time.advance(by: self.time.now().duration(to: target))
        return count
    }

    /// Drops every lease, as if all workers had crashed before they could acknowledge. The jobs are back when the lease's time has passed.
    public func crashWorkers() {
        self.broker.dropLeases()
    }
}
