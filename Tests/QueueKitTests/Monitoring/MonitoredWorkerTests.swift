import Logging
import QueueKitTesting
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Testing

@testable import QueueKit

/// Fails once, and is tried again at once.
private struct Flaky: Job {
    static let name = "proj.flaky"
    static let defaults = JobDefaults(retry: JobRetryPolicy(maximumRetries: 1, baseDelay: .zero))
}

/// A worker that is watched, with watchers that are not there.
@Suite struct MonitoredWorkerTests {
    private struct World {
        let transport: FakeMonitorTransport
        let queue: JobQueue
        let gate = Gate("handler")
        let worker: Worker

        init(
            _ transport: FakeMonitorTransport = FakeMonitorTransport(), time: TimeSource = .system, concurrency: Int = 2,
            _ configure: (inout WorkerMonitoring) -> Void = { _ in }
        ) {
            self.transport = transport
            let queue = JobQueue(
                broker: FakeBroker(time: time), results: MemoryResultStore(time: time), time: time,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            self.queue = queue
            var configuration = Worker.Configuration()
            configuration.name = "w1@host"
            var monitoring = WorkerMonitoring()
            monitoring.transport = transport
            configure(&monitoring)
            configuration.monitoring = monitoring
            let gate = self.gate
            self.worker = Worker(queue, concurrency: concurrency, configuration: configuration) {
                $0.handle(Flaky.self) { _, context in if context.retries == 0 { throw JobFailure("KeyError", "again") } }
                $0.handle(Add.self) { job, _ in job.x + job.y }
                $0.handle(Send.self) { _, _ in try await gate.pass() }
                $0.handle(Limited.self) { _, _ in throw JobFailure("ValueError", "boom", isPermanent: true) }
            }
        }

        func start() -> PendingCall<Void> {
            let worker = self.worker
            return PendingCall("worker") { try await worker.run() }
        }
    }

    @Test func `workers that are given no name have each their own`() async throws {
        var nodes: Set<String> = []
        for _ in 0..<3 {
            let transport = FakeMonitorTransport()
            var configuration = Worker.Configuration()
            configuration.monitoring = WorkerMonitoring()
            configuration.monitoring?.transport = transport
            let worker = Worker(JobQueue(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), configuration: configuration) {
                _ in
            }
            let running = PendingCall("worker") { try await worker.run() }
            try await transport.waitForEvent("worker-online")
            nodes.insert(try #require(transport.opened.all.first).address.node)
            try await transport.ask("shutdown")
            try await running.value()
        }
        #expect(nodes.count == 3)
        #expect(nodes.allSatisfy { $0.hasPrefix("swift-\(ProcessSample.processID)") && $0.contains("@") })
    }

    @Test func `watchers are told of the worker's beginning, its jobs' ways and its end`() async throws {
        // On time that stands still, so that however slow the machine is the worker waits for its last word to be taken.
        let world = World(time: ManualTime().source)
        let running = world.start()
        let good = try await world.queue.enqueue(Add(x: 2, y: 3))
        let bad = try await world.queue.enqueue(Limited())
        try await world.transport.waitForEvents(["task-received", "task-started", "task-succeeded"], of: good.id)
        try await world.transport.waitForEvents(["task-received", "task-started", "task-failed"], of: bad.id)
        try await world.transport.ask("shutdown")
        try await running.value()
        let types = try world.transport.eventTypes()
        #expect(types.first == "worker-online")
        #expect(types.last == "worker-offline")
        try await eventually("the link is closed") { world.transport.closed.count >= 1 }
        #expect(world.transport.opened.all.map(\.address) == [MonitorAddress(node: "w1@host")])
    }

    @Test func `that a job is tried again is told before it comes again, however soon that is`() async throws {
        let world = World()
        let running = world.start()
        for _ in 0..<20 {
            let receipt = try await world.queue.enqueue(Flaky())
            let run = ["task-received", "task-started"]
            try await world.transport.waitForEvents(run + ["task-retried"] + run + ["task-succeeded"], of: receipt.id)
        }
        try await world.transport.ask("shutdown")
        try await running.value()
    }

    @Test func `a job that was revoked before it came is dropped as revoked`() async throws {
        let world = World()
        let id = JobID()
        let running = world.start()
        try await world.transport.ask("revoke", "{\"task_id\":\"\(id)\"}")
        let receipt = try await world.queue.enqueue(Add(x: 2, y: 3), options: EnqueueOptions(id: id))
        let failure = try await expectThrows(JobFailure.self) { _ = try await receipt.value(timeout: .seconds(120)) }
        #expect(failure.type == "TaskRevokedError")
        #expect(failure.message == "revoked")
        #expect(try await receipt.state() == .revoked)
        try await world.transport.waitForEvents(["task-revoked"], of: id)
        #expect(try await world.queue.counts() == QueueCounts())
        try await world.transport.ask("shutdown")
        try await running.value()
    }

    @Test func `a job that runs is terminated, its handler cancelled, and it is not tried again`() async throws {
        let world = World()
        let running = world.start()
        let receipt = try await world.queue.enqueue(Send(userID: 1))
        try await world.gate.waitForArrivals()
        try await world.transport.ask("revoke", "{\"task_id\":[\"\(receipt.id)\"],\"terminate\":true}")
        let failure = try await expectThrows(JobFailure.self) { _ = try await receipt.value(timeout: .seconds(120)) }
        #expect(failure.message == "terminated")
        try await world.transport.waitForEvents(["task-received", "task-started", "task-revoked"], of: receipt.id)
        try await eventually("the queue is empty") { try await world.queue.counts() == QueueCounts() }
        // The slot is free again.
        #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(120)) == 2)
        try await world.transport.ask("shutdown")
        try await running.value()
    }

    @Test func `a shutdown lets the job that runs end`() async throws {
        let world = World()
        let running = world.start()
        let receipt = try await world.queue.enqueue(Send(userID: 1))
        try await world.gate.waitForArrivals()
        try await world.transport.ask("shutdown")
        world.gate.open()
        try await running.value()
        #expect(try await receipt.state() == .success)
        let late = try await world.queue.enqueue(Send(userID: 2))
        #expect(try await late.state() == .pending)
    }

    @Test func `a link that is lost is opened again, and what happened meanwhile is told`() async throws {
        let world = World(FakeMonitorTransport(failures: 2))
        let running = world.start()
        let receipt = try await world.queue.enqueue(Add(x: 2, y: 3))
        try await world.transport.waitForEvents(["task-received", "task-started", "task-succeeded"], of: receipt.id)
        #expect(world.transport.opened.count == 3)
        let first = try #require(world.transport.opened.all.last)
        first.onEvent(.lost("gone"))
        _ = try await world.transport.opened.waitForCount(4)
        // What an old link still says is not for us.
        first.onEvent(.request(MonitorWorld.request("shutdown")))
        #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(120)) == 2)
        try await world.transport.ask("shutdown")
        try await running.value()
    }

    @Test func `while the server takes nothing jobs run, and a few events wait`() async throws {
        let world = World(concurrency: 1) { $0.bufferedEvents = 4 }
        let running = world.start()
        try await world.transport.waitForEvent("worker-online")
        let link = try #require(world.transport.opened.all.last)
        link.onEvent(.blocked)
        for number in 0..<20 {
            #expect(try await world.queue.enqueue(Add(x: number, y: 1)).value(timeout: .seconds(120)) == number + 1)
        }
        // One at a time: when this one has begun, all has been told of those before it.
        let last = try await world.queue.enqueue(Send(userID: 1))
        try await world.gate.waitForArrivals()
        #expect(try world.transport.eventTypes().filter { $0.hasPrefix("task-") } == [])
        link.onEvent(.unblocked)
        try await eventually("four events come") { try world.transport.eventTypes().count { $0.hasPrefix("task-") } == 4 }
        #expect(try world.transport.eventTypes(of: last.id) == ["task-received", "task-started"])
        world.gate.open()
        try await world.transport.ask("shutdown")
        try await running.value()
    }

    @Test func `a link that never takes what it is given holds up neither jobs nor, for more than a moment, the end`() async throws {
        let time = ManualTime()
        // Without a heartbeat at the time at which the worker gives up.
        let world = World(FakeMonitorTransport(isStuck: true), time: time.source) { $0.heartbeat = .seconds(60) }
        let running = world.start()
        try await world.transport.gate.waitForArrivals()
        #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(120)) == 2)
        try await world.transport.ask("shutdown")
        let end = time.now().advanced(by: .seconds(2))
        try await eventually("the worker waits for its last words to be taken") { time.nextDeadline == end }
        await time.advance(by: .seconds(2))
        try await running.value()
        world.transport.gate.open()
    }

    @Test func `a worker without watchers ends at once`() async throws {
        let time = ManualTime()
        let world = World(FakeMonitorTransport(failures: .max), time: time.source)
        let group = ServiceGroup(services: [world.worker], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = PendingCall("group") { try await group.run() }
        _ = try await world.transport.opened.waitForCount(1)
        await group.triggerGracefulShutdown()
        try await running.value()
    }

    @Test func `a broker that has no way to watchers runs its jobs unseen`() async throws {
        let queue = JobQueue(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var configuration = Worker.Configuration()
        configuration.monitoring = .init()
        let worker = Worker(queue, configuration: configuration) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let receipt = try await queue.enqueue(Add(x: 2, y: 3))
        try await worker.drain()
        #expect(try await receipt.value(timeout: .zero) == 5)
    }

    @Test func `a name without a host gets the machine's`() async throws {
        let world = World { $0.node = "mailer" }
        let running = world.start()
        let opened = try await world.transport.opened.waitForCount(1)
        let parts = try #require(opened.first).address.node.split(separator: "@")
        #expect(parts.first == "mailer")
        #expect(parts.count == 2)
        try await world.transport.ask("shutdown")
        try await running.value()
    }
}
