import Logging
import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Testing

@Suite struct ShutdownTests {
    private struct World {
        let time: ManualTime
        let broker: FakeBroker
        let queue: JobQueue
        let gate = Gate("handler")
        let group: ServiceGroup
        let running: Task<Void, any Error>

        init(handlerIsStubborn: Bool = false) {
            let time = ManualTime()
            let broker = FakeBroker(time: time.source)
            let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
            let gate = self.gate
            var configuration = Worker.Configuration()
            configuration.grace = .seconds(7)
            configuration.cancellationGrace = .seconds(3)
            let worker = Worker(queue, concurrency: 2, configuration: configuration) {
                $0.handle(Send.self) { _, _ in try await gate.pass(isCancellable: !handlerIsStubborn) }
            }
            let group = ServiceGroup(services: [worker], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            (self.time, self.broker, self.queue, self.group) = (time, broker, queue, group)
            self.running = Task { try await group.run() }
        }

        /// Begins the shutdown and returns when the worker has, which its grace shows.
        func shutDown() async throws {
            await self.group.triggerGracefulShutdown()
            try await self.waitForDeadline(.seconds(7))
        }

        /// Waits until the next thing to happen on this time is `duration` away.
        func waitForDeadline(_ duration: Duration) async throws {
            let deadline = self.time.now().advanced(by: duration)
            try await eventually("somebody sleeps for \(duration)") { self.time.nextDeadline == deadline }
        }
    }

    @Test func `at shutdown running jobs end, and waiting ones stay in the broker`() async throws {
        let world = World()
        let receipts = [try await world.queue.enqueue(Send(userID: 1)), try await world.queue.enqueue(Send(userID: 2))]
        try await world.gate.waitForArrivals(2)
        try await world.shutDown()
        let waiting = try await world.queue.enqueue(Send(userID: 3))
        world.gate.open()
        try await world.running.value
        for receipt in receipts { #expect(try await receipt.state() == .success) }
        #expect(try await waiting.state() == .pending)
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(ready: 1))
    }

    @Test func `an idle worker ends at once`() async throws {
        let world = World()
        await world.group.triggerGracefulShutdown()
        try await world.running.value
    }

    @Test func `when the grace is over jobs are cancelled and given back at no cost`() async throws {
        let world = World()
        let receipt = try await world.queue.enqueue(Send(userID: 1))
        try await world.gate.waitForArrivals()
        try await world.shutDown()
        await world.time.advance(by: .seconds(7))
        try await world.running.value
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(ready: 1))
        let again = try await world.broker.receive(.init(queues: ["celery"], limit: 1, lease: .seconds(1), owner: "b", waits: false))
        #expect(again.map(\.losses) == [0])
        #expect(try await receipt.state() != .failure)
    }

    @Test func `a handler that ignores its cancellation is left behind, and its job returns when the lease ends`() async throws {
        let world = World(handlerIsStubborn: true)
        try await world.queue.enqueue(Send(userID: 1))
        try await world.gate.waitForArrivals()
        try await world.shutDown()
        await world.time.advance(by: .seconds(7))
        try await world.waitForDeadline(.seconds(3))
        await world.time.advance(by: .seconds(3))
        try await world.running.value
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(leased: 1))
        await world.time.advance(by: .seconds(60))
        let again = try await world.broker.receive(.init(queues: ["celery"], limit: 1, lease: .seconds(1), owner: "b", waits: false))
        #expect(again.map(\.losses) == [1])
        world.gate.open()
    }

    @Test func `cancelling the worker's task is a shutdown without grace`() async throws {
        let (time, broker) = LeaseTests.fakes()
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let gate = Gate("handler")
        let worker = Worker(queue, concurrency: 1) { $0.handle(Send.self) { _, _ in try await gate.pass() } }
        let running = Task { try await worker.run() }
        try await queue.enqueue(Send(userID: 1))
        try await gate.waitForArrivals()
        running.cancel()
        try await running.value
        #expect(try await broker.counts(of: "celery") == QueueCounts(ready: 1))
    }
}

@Suite struct WorkerLoopTests {
    @Test func `an idle worker on the memory broker has no timer`() async throws {
        let time = ManualTime()
        let broker = MemoryBroker(time: time.source)
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let worker = Worker(queue, concurrency: 4) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let running = Task { try await worker.run() }
        for _ in 0..<5 {
            let receipt = try await queue.enqueue(Add(x: 1, y: 1))
            #expect(try await LeaseTests.end(of: receipt, on: queue) == .success)
            try await eventually("the worker is idle, without a timer") { time.sleeperCount == 0 }
        }
        running.cancel()
        try await running.value
        #expect(time.sleeperCount == 0)
    }

    @Test func `no more jobs run at once than the concurrency allows, and no fewer`() async throws {
        let queue = JobQueue()
        let (gate, now, most) = (Gate("handlers"), Tally(), RecordedFacts<Int>())
        let worker = Worker(queue, concurrency: 3) {
            $0.handle(Send.self) { _, _ in
                most.record(now.increment())
                try await gate.pass()
                now.decrement()
            }
        }
        let running = Task { try await worker.run() }
        var receipts: [JobReceipt<NoOutput>] = []
        for user in 0..<9 { receipts.append(try await queue.enqueue(Send(userID: user))) }
        try await gate.waitForArrivals(3)
        for _ in 0..<200 { await Task.yield() }
        #expect(gate.arrivals == 3)
        gate.open()
        for receipt in receipts { _ = try await receipt.value(timeout: .seconds(120)) }
        #expect(most.all.max() == 3)
        running.cancel()
        try await running.value
    }

    @Test func `a broker that cannot be reached is waited for, with back-off`() async throws {
        let (time, broker) = LeaseTests.fakes()
        broker.faults.failNext(.receive, times: 3, with: QueueError(code: .unavailable, message: "down"))
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        let running = Task { try await worker.run() }
        let receipt = try await queue.enqueue(Add(x: 7, y: 0))
        #expect(try await receipt.state() == .pending)
        try await eventually("the job has succeeded") {
            await time.advance(by: .milliseconds(50))
            return try await receipt.state() == .success
        }
        try broker.faults.expectAllStruck()
        running.cancel()
        try await running.value
    }

    @Test func `a worker whose broker is shut down ends with a typed error`() async throws {
        let broker = MemoryBroker()
        let worker = Worker(JobQueue(broker: broker, results: MemoryResultStore()), concurrency: 1) { _ in }
        let running = Task { try await worker.run() }
        broker.shutdown()
        let error = await #expect(throws: QueueError.self) { try await running.value }
        #expect(error?.code == .closed)
    }
}
