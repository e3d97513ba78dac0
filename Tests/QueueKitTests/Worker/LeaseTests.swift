import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

/// What may happen between a worker, its lease and another worker; each entry is played in exactly the order that its name says.
@Suite struct LeaseTests {
    private static let lease = Duration.seconds(60)

    private static func configuration(losses: Int = 3) -> Worker.Configuration {
        var configuration = Worker.Configuration()
        configuration.lease = Self.lease
        configuration.maximumLosses = losses
        return configuration
    }

    /// A worker that is killed: it has the message and is never heard of again.
    private static func killedWorkerTakesOne(_ jobs: RecordingQueue) async throws -> Delivery {
        let request = ReceiveRequest(queues: ["celery"], limit: 1, lease: Self.lease, owner: "killed", waits: false)
        return try #require(try await jobs.broker.receive(request).first)
    }

    @Test func `a job whose worker was killed runs again, once`() async throws {
        let losses = RecordedFacts<Int>()
        let jobs = RecordingQueue(workerConfiguration: Self.configuration()) {
            $0.handle(Send.self) { _, context in losses.record(context.losses) }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 1))
        _ = try await Self.killedWorkerTakesOne(jobs)
        #expect(try await jobs.advance(by: .milliseconds(59_999)) == 0)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(try await jobs.advance(by: .seconds(3600)) == 0)
        #expect(losses.all == [1])
        #expect(try await receipt.state() == .success)
    }

    @Test func `a job that kills every worker fails when too many were lost`() async throws {
        let runs = Tally()
        let jobs = RecordingQueue(workerConfiguration: Self.configuration(losses: 2)) {
            $0.handle(Send.self) { _, _ in runs.increment() }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 1))
        for _ in 0..<3 {
            _ = try await Self.killedWorkerTakesOne(jobs)
            await jobs.time.advance(by: Self.lease)
        }
        try await jobs.drain()
        #expect(runs.count == 0)
        #expect(try await receipt.status()?.failure?.type == "WorkerLostError")
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts(dead: 1))
    }

    @Test func `losses are counted across retries`() async throws {
        let jobs = RecordingQueue(workerConfiguration: Self.configuration(losses: 1)) {
            $0.handle(Send.self) { _, _ in throw Boom() }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 1))
        _ = try await Self.killedWorkerTakesOne(jobs)
        await jobs.time.advance(by: Self.lease)
        try await jobs.drain()
        #expect(try await receipt.state() == .retry)
        await jobs.time.advance(by: .seconds(1))
        _ = try await Self.killedWorkerTakesOne(jobs)
        await jobs.time.advance(by: Self.lease)
        try await jobs.drain()
        #expect(try await receipt.status()?.failure?.type == "WorkerLostError")
    }

    @Test func `a crash after the work and before the acknowledgement runs the job again, and the first result stays`() async throws {
        let runs = Tally()
        let crash = Locked<(@Sendable () -> Void)?>(nil)
        let jobs = RecordingQueue(workerConfiguration: Self.configuration()) {
            $0.handle(Add.self) { _, _ in
                crash.withLock { $0 }?()
                return runs.increment()
            }
        }
        crash.withLock { $0 = { jobs.crashWorkers() } }
        let receipt = try await jobs.queue.enqueue(Add(x: 1, y: 1))
        try await jobs.drain()
        crash.withLock { $0 = nil }
        try await jobs.advance(by: Self.lease)
        #expect(runs.count == 2)
        #expect(try await receipt.value(timeout: .zero) == 1)
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a message that is delivered twice runs twice, and the first result stays`() async throws {
        let runs = Tally()
        let jobs = RecordingQueue { $0.handle(Add.self) { _, _ in runs.increment() } }
        jobs.broker.duplicateNext(1)
        let receipt = try await jobs.queue.enqueue(Add(x: 1, y: 1))
        #expect(try await jobs.drain() == 2)
        #expect(try await receipt.value(timeout: .zero) == 1)
    }

    @Test func `an acknowledgement whose reply is lost is tried again, and the job does not run twice`() async throws {
        let runs = Tally()
        let jobs = RecordingQueue(workerConfiguration: Self.configuration()) { $0.handle(Add.self) { _, _ in runs.increment() } }
        jobs.broker.faults.plan(.lostReply(QueueError(code: .unavailable, message: "lost")), for: .acknowledge)
        try await jobs.queue.enqueue(Add(x: 1, y: 1))
        let isDrained = Locked(false)
        let draining = Task { () async throws -> Void in
            #expect(try await jobs.drain() == 1)
            isDrained.withLock { $0 = true }
        }
        try await eventually("the second attempt was made") {
            await jobs.time.advance(by: .milliseconds(50))
            return isDrained.withLock { $0 }
        }
        try await draining.value
        try await jobs.advance(by: .seconds(3600))
        #expect(runs.count == 1)
    }

    @Test func `a lease is extended for as long as its job runs`() async throws {
        let (time, broker) = Self.fakes()
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let gate = Gate("handler")
        let worker = Worker(queue, concurrency: 1, configuration: Self.configuration()) {
            $0.handle(Send.self) { _, _ in try await gate.pass() }
        }
        let running = Task { try await worker.run() }
        let receipt = try await queue.enqueue(Send(userID: 1))
        try await gate.waitForArrivals()
        for round in 1...30 {
            await time.advance(by: .seconds(20))
            try await eventually("the lease has been extended") {
                let extensions = broker.facts.all.filter { fact in
                    if case .extended(_, let refused) = fact { return refused.isEmpty }
                    return false
                }
                return extensions.count == round
            }
            #expect(try await broker.receive(.init(queues: ["celery"], limit: 1, lease: Self.lease, owner: "b", waits: false)).isEmpty)
        }
        gate.open()
        #expect(try await Self.end(of: receipt, on: queue) == .success)
        running.cancel()
        try await running.value
    }

    /// first worker:  runs ── cannot extend ── lease ends: cancelled ─────────────── returns late: refused
    /// second worker:                                       takes the job, succeeds
    @Test func `a worker that has lost its lease is cancelled, and its late outcome counts for nothing`() async throws {
        let (time, broker) = Self.fakes()
        let results = MemoryResultStore(time: time.source)
        let queue = JobQueue(broker: broker, results: results, time: time.source)
        let (gate, cancelled, stubborn) = (Gate("first run"), Tally(), Gate("first run after its cancellation"))
        let runs = Tally()
        let worker = Worker(queue, concurrency: 1, configuration: Self.configuration()) {
            $0.handle(Send.self) { _, _ in
                guard runs.increment() == 1 else { return }
                do { try await gate.pass() } catch { cancelled.increment() }
                try await stubborn.pass(isCancellable: false)
                throw JobFailure("ValueError", "late", isPermanent: true)
            }
        }
        let running = Task { try await worker.run() }
        let receipt = try await queue.enqueue(Send(userID: 1))
        try await gate.waitForArrivals()
        broker.faults.plan(.failure(QueueError(code: .unavailable, message: "unreachable")), for: .extend, times: nil)
        for _ in 0..<6 { await time.advance(by: .seconds(10)) }
        try await stubborn.waitForArrivals()
        #expect(cancelled.count == 1)
        broker.faults.clear()
        let second = Worker(queue, concurrency: 1, configuration: Self.configuration()) {
            $0.handle(Send.self) { _, _ in runs.increment() }
        }
        #expect(try await second.drain() == 1)
        stubborn.open()
        running.cancel()
        try await running.value
        #expect(runs.count == 2)
        #expect(try await receipt.state() == .success)
        #expect(try await broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a worker whose extension is refused is cancelled before its own reckoning ends`() async throws {
        let (time, broker) = Self.fakes()
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let (gate, cancelled) = (Gate("handler"), RecordedFacts<String>())
        let worker = Worker(queue, concurrency: 1, configuration: Self.configuration()) {
            $0.handle(Send.self) { _, _ in
                do { try await gate.pass() } catch { cancelled.record("cancelled"); throw error }
            }
        }
        let running = Task { try await worker.run() }
        let receipt = try await queue.enqueue(Send(userID: 1))
        try await gate.waitForArrivals()
        broker.dropLeases()
        await time.advance(by: .seconds(20))
        _ = try await cancelled.first { _ in true }
        running.cancel()
        try await running.value
        #expect(try await receipt.state() == .started, "nothing is said about somebody else's job")
    }

    static func fakes() -> (ManualTime, FakeBroker) {
        let time = ManualTime()
        return (time, FakeBroker(time: time.source))
    }

    /// Waits for the end of a job that a running worker has; time stands still meanwhile.
    static func end<Output>(of receipt: JobReceipt<Output>, on queue: JobQueue) async throws -> JobState {
        try await eventually("the job has ended") { () async throws -> JobState? in
            let state = try await receipt.state()
            return state.isFinal ? state : nil
        }
    }
}
