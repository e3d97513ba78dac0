import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@Suite struct TimeLimitTests {
    private struct World {
        let time: ManualTime
        let broker: FakeBroker
        let queue: JobQueue

        init() {
            (self.time, self.broker) = LeaseTests.fakes()
            self.queue = JobQueue(broker: self.broker, results: MemoryResultStore(time: self.time.source), time: self.time.source)
        }
    }

    @Test func `at the soft limit the handler is cancelled, and the job has failed`() async throws {
        let world = World()
        let gate = Gate("handler")
        let worker = Worker(world.queue, concurrency: 1) {
            $0.handle(Limited.self) { _, _ in
                try await gate.pass()
                return "done"
            }
        }
        let running = Task { try await worker.run() }
        let receipt = try await world.queue.enqueue(Limited())
        try await gate.waitForArrivals()
        await world.time.advance(by: .milliseconds(4_999))
        #expect(try await receipt.state() == .started)
        await world.time.advance(by: .milliseconds(1))
        #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .failure)
        #expect(try await receipt.status()?.failure?.type == "SoftTimeLimitExceeded")
        running.cancel()
        try await running.value
    }

    @Test func `a handler that finishes although it was cancelled at the soft limit has succeeded`() async throws {
        let world = World()
        let gate = Gate("handler")
        let worker = Worker(world.queue, concurrency: 1) {
            $0.handle(Limited.self) { _, _ in
                do { try await gate.pass() } catch { return "cleaned up" }
                return "done"
            }
        }
        let running = Task { try await worker.run() }
        let receipt = try await world.queue.enqueue(Limited())
        try await gate.waitForArrivals()
        await world.time.advance(by: .seconds(5))
        #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .success)
        #expect(try await receipt.value(timeout: .zero) == "cleaned up")
        running.cancel()
        try await running.value
    }

    @Test func `at the hard limit the job has failed, its handler keeps the slot, and what it says later is ignored`() async throws {
        let world = World()
        let gate = Gate("a handler that ignores its cancellation")
        let others = Tally()
        let worker = Worker(world.queue, concurrency: 1) {
            $0.handle(Limited.self) { _, _ in
                try await gate.pass(isCancellable: false)
                return "late"
            }
            $0.handle(Send.self) { _, _ in others.increment() }
        }
        let running = Task { try await worker.run() }
        let receipt = try await world.queue.enqueue(Limited())
        try await gate.waitForArrivals()
        await world.time.advance(by: .milliseconds(7_999))
        #expect(try await receipt.state() == .started)
        await world.time.advance(by: .milliseconds(1))
        #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .failure)
        #expect(try await receipt.status()?.failure?.type == "TimeLimitExceeded")
        try await eventually { try await world.broker.counts(of: "celery") == QueueCounts(dead: 1) }
        // The only slot is taken by the handler that does not end.
        let next = try await world.queue.enqueue(Send(userID: 1))
        for _ in 0..<50 { await Task.yield() }
        #expect(others.count == 0)
        gate.open()
        #expect(try await LeaseTests.end(of: next, on: world.queue) == .success)
        #expect(try await receipt.state() == .failure)
        running.cancel()
        try await running.value
    }

    @Test func `the message's limits take precedence over the type's`() async throws {
        let world = World()
        let gate = Gate("handler")
        let worker = Worker(world.queue, concurrency: 1) {
            $0.handle(Limited.self) { _, _ in
                try await gate.pass()
                return "done"
            }
        }
        let running = Task { try await worker.run() }
        var call = TaskMessage(task: Limited.name, id: JobID())
        call.softTimeLimit = .seconds(1)
        try await world.broker.publish(call.message(at: world.time.utcNow()), to: "celery", notBefore: nil)
        try await gate.waitForArrivals()
        await world.time.advance(by: .seconds(1))
        let receipt = world.queue.receipt(for: call.id, of: Limited.self)
        #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .failure)
        running.cancel()
        try await running.value
    }
}
