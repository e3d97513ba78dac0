import Logging
import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Testing

/// The relay between two fakes, on manual time.
@Suite(.timeLimit(.minutes(5))) struct OutboxRelayTests {
    private static let unavailable = QueueError(code: .unavailable, message: "not there")
    private static let queues = ["a", "b"]

    /// Two brokers and the relays between them.
    private struct World {
        let time = ManualTime()
        let source: FakeBroker
        let destination: FakeBroker

        init() {
            self.source = FakeBroker(time: self.time.source)
            self.destination = FakeBroker(time: self.time.source)
        }

        func relay(_ configure: (inout OutboxRelay.Configuration) -> Void = { _ in }) -> OutboxRelay {
            var configuration = OutboxRelay.Configuration()
            configure(&configuration)
            return OutboxRelay(
                from: self.source, to: self.destination, queues: OutboxRelayTests.queues, configuration: configuration,
                time: self.time.source, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func publish(_ number: Int, to queue: String, after delay: Duration? = nil) async throws {
            let message = Message(
                headers: ["id": .string("\(queue)-\(number)"), "number": .integer(Int64(number))], properties: .init(), body: [1, 2, 3])
            try await self.source.publish(message, to: queue, notBefore: delay.map { self.time.utcNow().advanced(by: $0) })
        }

        /// The numbers that the destination has got, in its order.
        func arrived(_ queue: String) -> [Int] {
            self.destination.facts.all.compactMap {
                guard case .published(let message, queue, _, _) = $0 else { return nil }
                return message.headers["number"]?.integerValue.map { Int($0) }
            }
        }

        /// Runs the relay until the source is empty.
        func relayAll(_ relay: OutboxRelay) async throws {
            let running = Task { try await relay.run() }
            try await self.waitUntilEmpty()
            running.cancel()
            try await running.value
        }

        /// Moves time until the source is empty.
        func waitUntilEmpty() async throws {
            try await self.time.run(upTo: .seconds(3600)) {
                while true {
                    var left = 0
                    for queue in OutboxRelayTests.queues {
                        let counts = try await self.source.counts(of: queue)
                        left += counts.ready + counts.leased + counts.delayed
                    }
                    if left == 0 { return }
                    try await self.time.source.sleep(for: .milliseconds(100))
                }
            }
        }
    }

    @Test func `messages arrive as they are, in order per queue, and the source is empty`() async throws {
        let world = World()
        for number in 0..<250 { for queue in Self.queues { try await world.publish(number, to: queue) } }
        try await world.relayAll(world.relay())
        for queue in Self.queues { #expect(world.arrived(queue) == Array(0..<250)) }
        let first = try await world.destination.receive(
            ReceiveRequest(queues: ["a"], limit: 1, lease: .seconds(1), owner: "me", waits: false))
        #expect(first.first?.message.headers["id"] == "a-0" && first.first?.message.body == [1, 2, 3])
    }

    @Test func `a destination that is away for long costs nothing but time, and leases hold`() async throws {
        let world = World()
        for number in 0..<20 { try await world.publish(number, to: "a") }
        world.destination.faults.plan(.failure(Self.unavailable), times: 200) { $0 == .publish }
        let relay = world.relay()
        let running = Task { try await relay.run() }
        // The relay's pause, the extension of its leases, and the wait for the other queue: each has its turn before time moves on.
        try await world.time.advance(by: .seconds(280), sleepers: 3)
        #expect(world.arrived("a") == [])
        let losses = world.source.facts.all.compactMap { if case .leased(let delivery) = $0 { delivery.losses } else { nil } }
        #expect(losses.allSatisfy { $0 == 0 }, "a lease was lost while the destination was away")
        try await world.waitUntilEmpty()
        running.cancel()
        try await running.value
        #expect(world.arrived("a") == Array(0..<20))
        try world.destination.faults.expectAllStruck()
    }

    @Test func `what the destination will never take is a dead letter of the source, and the next goes on`() async throws {
        let world = World()
        for number in 0..<5 { try await world.publish(number, to: "a") }
        world.destination.faults.failNext(with: QueueError(code: .unroutable, message: "no queue")) { $0 == .publish }
        try await world.relayAll(world.relay())
        #expect(world.arrived("a") == [1, 2, 3, 4])
        let dead = try await world.source.deadLetters(of: "a", limit: 10)
        #expect(dead.map { $0.message.headers["number"] } == [0])
        #expect(dead.first?.reason.contains("unroutable") == true)
    }

    @Test func `a message beyond the limit is a dead letter, and is not sent`() async throws {
        let world = World()
        try await world.publish(0, to: "a")
        try await world.relayAll(world.relay { $0.maximumBodyBytes = 2 })
        #expect(world.arrived("a") == [])
        #expect(try await world.source.deadLetters(of: "a", limit: 10).count == 1)
    }

    @Test func `a delayed message is relayed when its time has come, and not before`() async throws {
        let world = World()
        try await world.publish(0, to: "a", after: .seconds(600))
        let due = world.time.utcNow().advanced(by: .seconds(600))
        try await world.publish(1, to: "a")
        try await world.relayAll(world.relay())
        #expect(world.arrived("a") == [1, 0])
        guard case .published(_, _, let notBefore, let at)? = world.destination.facts.all.last else { throw TestFailure("nothing came") }
        #expect(notBefore == nil && at >= due)
    }

    @Test func `after a relay was killed its messages come before those behind them`() async throws {
        let world = World()
        for number in 0..<10 { try await world.publish(number, to: "a") }
        // The killed one has taken the first three.
        let taken = try await world.source.receive(
            ReceiveRequest(queues: ["a"], limit: 3, lease: .seconds(30), owner: "killed", waits: false))
        #expect(taken.count == 3)
        try await world.relayAll(world.relay())
        #expect(world.arrived("a") == Array(0..<10))
    }

    @Test func `several relays of one queue keep its order`() async throws {
        let world = World()
        for number in 0..<60 { for queue in Self.queues { try await world.publish(number, to: queue) } }
        let others = (0..<2).map { _ in world.relay { $0.batch = 3 } }
        let running = others.map { relay in Task { try await relay.run() } }
        try await world.relayAll(world.relay { $0.batch = 3 })
        for task in running {
            task.cancel()
            try await task.value
        }
        for queue in Self.queues { #expect(world.arrived(queue) == Array(0..<60)) }
    }

    @Test func `at a graceful shutdown what is under way arrives and is acknowledged, and the rest is given back`() async throws {
        let world = World()
        for number in 0..<10 { try await world.publish(number, to: "a") }
        let gate = Gate("publish")
        world.destination.faults.plan(.pause(at: gate)) { $0 == .publish }
        let relay = world.relay()
        let group = ServiceGroup(services: [relay], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        try await gate.waitForArrivals(1)
        await group.triggerGracefulShutdown()
        try await eventually("the relay is told") { relay.isStopping }
        gate.open()
        try await running.value
        #expect(world.arrived("a") == [0])
        #expect(try await world.source.counts(of: "a") == QueueCounts(ready: 9))
        try await world.relayAll(world.relay())
        #expect(world.arrived("a") == Array(0..<10))
    }

    @Test func `a broker that was shut down ends the relay`() async throws {
        let world = World()
        try await world.publish(0, to: "a")
        world.destination.faults.failNext(with: QueueError(code: .closed, message: "closed")) { $0 == .publish }
        let error = await #expect(throws: QueueError.self) { try await world.relay().run() }
        #expect(error?.code == .closed)
        #expect(try await world.source.counts(of: "a") == QueueCounts(ready: 1))
    }

    @Test(arguments: 0..<60) func `under random faults none is lost, order holds, and duplicates are bounded`(round: Int) async throws {
        let seed = try Seed.fromEnvironment() ?? .random()
        var random = seed.generator()
        let world = World()
        let count = 40
        for number in 0..<count { for queue in Self.queues { try await world.publish(number, to: queue) } }
        var interruptions = 0
        for _ in 0..<30 {
            let isReplyLost = Bool.random(using: &random)
            let fault: Fault = isReplyLost ? .lostReply(Self.unavailable) : .failure(Self.unavailable)
            let operations: [FakeBroker.Operation] = [.publish, .acknowledge, .receive, .extend, .release]
            let operation = operations.randomElement(using: &random) ?? .publish
            // How many such operations go well before it strikes.
            let skipped = Locked(Int.random(in: 0..<60, using: &random))
            let isOfDestination = operation == .publish
            if isReplyLost || operation == .acknowledge { interruptions += 1 }
            (isOfDestination ? world.destination : world.source).faults.plan(fault) { asked in
                guard asked == operation else { return false }
                return skipped.withLock { left in
                    left -= 1
                    return left < 0
                }
            }
        }
        let relays = (0..<2).map { _ in world.relay { $0.batch = 7 } }
        let running = Task { try await relays[1].run() }
        try await world.relayAll(relays[0])
        running.cancel()
        try await running.value
        for queue in Self.queues {
            let arrived = world.arrived(queue)
            var seen: Set<Int> = []
            #expect(arrived.filter { seen.insert($0).inserted } == Array(0..<count), "\(seed), queue \(queue): \(arrived)")
            #expect(arrived.count - count <= interruptions, "\(seed), queue \(queue): \(arrived.count - count) duplicates")
        }
    }
}
