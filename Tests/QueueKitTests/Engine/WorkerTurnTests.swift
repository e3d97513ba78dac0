import ScaleCore
import ScaleTesting
import Testing

@testable import QueueKit

/// When a job that has come may begin: slots that come and go, and rates.
@Suite struct WorkerTurnTests {
    private struct World {
        var engine: WorkerEngine
        var settings: WorkerSettings
        var now = Instant(nanoseconds: 0)

        init(concurrency: Int = 2, longestWait: Duration = .seconds(600)) {
            self.settings = WorkerSettings(concurrency: concurrency, queues: ["celery"])
            let limits = WorkerEngine.Limits(
                lease: .seconds(30), grace: .seconds(20), cancellationGrace: .seconds(5), longestWait: longestWait)
            self.engine = WorkerEngine(limits: limits, settings: self.settings)
        }

        mutating func change(_ body: (inout WorkerSettings) -> Void) {
            body(&self.settings)
            self.engine.apply(self.settings)
        }

        mutating func limit(_ task: String, _ rate: String) throws {
            let rate = try TaskRate.parse(rate)
            self.change { $0.setRate(rate, of: task) }
        }

        /// A message arrives and its job asks at once.
        mutating func arrive(_ task: String) throws -> (slot: WorkerEngine.Slot, turn: WorkerEngine.Turn) {
            let slot = try require(self.engine.admit(at: self.now))
            return (slot, self.engine.askForTurn(slot, of: task, at: self.now))
        }

        mutating func end(_ slot: WorkerEngine.Slot) -> [WorkerEngine.Slot] {
            self.engine.settled(slot)
            return self.engine.takeTurns(at: self.now)
        }

        mutating func advance(_ milliseconds: Int) -> [WorkerEngine.Slot] {
            self.now = self.now.advanced(by: .milliseconds(milliseconds))
            return self.engine.takeTurns(at: self.now)
        }
    }

    // MARK: Slots

    @Test func `a worker that grows wants more, and one that shrinks cancels nothing and takes none until enough have ended`() throws {
        var world = World()
        world.change { $0.setConcurrency(4) }
        #expect(world.engine.nextStep() == .receive(limit: 4))
        let slots = try (0..<4).map { _ in try world.arrive("a") }
        #expect(slots.allSatisfy { $0.turn == .begin })
        for (slot, _) in slots {
            let started = world.engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: world.now)
            #expect(started)
        }
        world.change { $0.setConcurrency(1) }
        #expect(world.engine.tick(at: world.now) == [])
        for (slot, _) in slots.prefix(3) {
            #expect(world.engine.nextStep() == .wait)
            #expect(world.engine.handlerEnded(slot) == nil)
            #expect(world.end(slot) == [])
        }
        #expect(world.engine.nextStep() == .wait)
        #expect(world.engine.handlerEnded(slots[3].slot) == nil)
        _ = world.end(slots[3].slot)
        #expect(world.engine.nextStep() == .receive(limit: 1))
    }

    @Test func `what came for more slots than there are now waits, holds none, and begins in its order`() throws {
        var world = World(concurrency: 3)
        let slots = try (0..<3).map { _ in try require(world.engine.admit(at: world.now)) }
        world.change { $0.setConcurrency(1) }
        #expect(slots.map { world.engine.askForTurn($0, of: "a", at: world.now) } == [.begin, .wait, .wait])
        #expect(world.engine.occupiedSlots == 1)
        #expect(world.engine.nextStep() == .wait)
        #expect(world.end(slots[0]) == [slots[1]])
        #expect(world.end(slots[1]) == [slots[2]])
        #expect(world.engine.nextStep() == .wait)
        #expect(world.end(slots[2]) == [])
        #expect(world.engine.nextStep() == .receive(limit: 1))
    }

    @Test func `those that wait begin when the worker grows`() throws {
        var world = World(concurrency: 1)
        _ = try world.arrive("a")
        let second = try world.arrive("b")
        #expect(second.turn == .wait)
        world.change { $0.setConcurrency(2) }
        #expect(world.engine.takeTurns(at: world.now) == [second.slot])
    }

    @Test func `settings that are older than those that hold are not taken`() {
        var world = World()
        let old = world.settings
        world.change { $0.setConcurrency(5) }
        world.engine.apply(old)
        #expect(world.engine.nextStep() == .receive(limit: 5))
    }

    @Test func `without queues nothing is taken`() {
        var world = World()
        world.change { $0.leave("celery") }
        #expect(world.engine.nextStep() == .wait)
        world.change { $0.propose("mails") }
        #expect(world.engine.nextStep() == .tryQueue("mails"))
        world.change { _ = $0.tried("mails", isUsable: true) }
        #expect(world.engine.nextStep() == .receive(limit: 2))
        #expect(world.engine.settings.queues == ["mails"])
    }

    // MARK: Rates

    @Test func `a job over its task's rate waits without a slot, those of other tasks run, and the next one begins after the interval`()
        throws
    {
        var world = World(concurrency: 2)
        try world.limit("slow", "2/s")
        let first = try world.arrive("slow")
        let (second, third) = (try world.arrive("slow"), try world.arrive("slow"))
        #expect([first.turn, second.turn, third.turn] == [.begin, .wait, .wait])
        #expect(world.engine.nextStep() == .receive(limit: 1))
        let other = try world.arrive("quick")
        #expect(other.turn == .begin)
        #expect(world.end(first.slot) == [])
        #expect(world.engine.nextDeadline == Instant(nanoseconds: 500_000_000))
        #expect(world.advance(499) == [])
        #expect(world.advance(1) == [second.slot])
        #expect(world.end(second.slot) == [])
        #expect(world.advance(500) == [third.slot])
    }

    @Test func `time that was not used is not saved up`() throws {
        var world = World(concurrency: 8)
        try world.limit("slow", "1/s")
        #expect(try world.arrive("slow").turn == .begin)
        _ = world.advance(60_000)
        #expect(try world.arrive("slow").turn == .begin)
        #expect(try world.arrive("slow").turn == .wait)
    }

    @Test func `a job whose time has come waits for a slot, without a deadline for it meanwhile`() throws {
        var world = World(concurrency: 1)
        try world.limit("slow", "1/s")
        let first = try world.arrive("slow")
        let second = try world.arrive("slow")
        #expect(world.advance(2_000) == [])
        #expect(world.engine.nextDeadline == Instant(nanoseconds: 10_000_000_000), "the extension of the leases")
        #expect(world.end(first.slot) == [second.slot])
    }

    @Test func `a new rate holds for those that wait, and none lets them go`() throws {
        var world = World(concurrency: 8)
        try world.limit("slow", "1/h")
        _ = try world.arrive("slow")
        let waiting = try (0..<3).map { _ in try world.arrive("slow").slot }
        #expect(world.advance(1_000) == [])
        try world.limit("slow", "1/s")
        #expect(world.engine.takeTurns(at: world.now) == [waiting[0]])
        try world.limit("slow", "0")
        #expect(world.engine.takeTurns(at: world.now) == Array(waiting.dropFirst()))
        #expect(try world.arrive("slow").turn == .begin)
    }

    @Test func `who comes when the next one's time has come does not overtake those that wait`() throws {
        var world = World(concurrency: 8)
        try world.limit("slow", "1/s")
        _ = try world.arrive("slow")
        let second = try world.arrive("slow")
        world.now = Instant(nanoseconds: 1_000_000_000)
        #expect(try world.arrive("slow").turn == .wait)
        #expect(world.engine.takeTurns(at: world.now) == [second.slot])
    }

    @Test func `four jobs for each slot may wait; then no more are taken`() throws {
        var world = World(concurrency: 2)
        try world.limit("slow", "1/h")
        #expect(world.end(try world.arrive("slow").slot) == [])
        for _ in 0..<7 { #expect(try world.arrive("slow").turn == .wait) }
        #expect(world.engine.nextStep() == .receive(limit: 1))
        #expect(try world.arrive("slow").turn == .wait)
        #expect(world.engine.nextStep() == .wait)
        #expect(world.engine.occupiedSlots == 0)
    }

    @Test func `the lease of a job that waits is extended, and when it is lost the job is nobody's`() throws {
        var world = World(concurrency: 1)
        try world.limit("slow", "1/h")
        _ = world.end(try world.arrive("slow").slot)
        let (slot, _) = try world.arrive("slow")
        #expect(world.engine.tick(at: Instant(nanoseconds: 10_000_000_000)) == [.extend([slot])])
        #expect(world.engine.tick(at: Instant(nanoseconds: 27_000_000_000)) == [.giveUpLease(slot)])
        #expect(!world.engine.hasWaiting)
        try world.limit("slow", "0")
        #expect(world.engine.takeTurns(at: world.now) == [])
        #expect(world.engine.askForTurn(slot, of: "slow", at: world.now) == .lost)
        _ = world.end(slot)
        #expect(world.engine.nextStep() == .receive(limit: 1))
    }

    @Test func `a job that waits for too long goes back to the broker, once`() throws {
        var world = World(concurrency: 1, longestWait: .seconds(5))
        try world.limit("slow", "1/h")
        _ = world.end(try world.arrive("slow").slot)
        let (slot, _) = try world.arrive("slow")
        #expect(world.engine.nextDeadline == Instant(nanoseconds: 5_000_000_000))
        #expect(world.engine.tick(at: Instant(nanoseconds: 5_000_000_000)) == [.giveBack(slot)])
        #expect(world.engine.tick(at: Instant(nanoseconds: 6_000_000_000)) == [])
        #expect(!world.engine.hasWaiting)
        _ = world.end(slot)
        #expect(world.engine.occupiedSlots == 0)
        #expect(world.engine.nextDeadline == nil)
    }

    @Test(arguments: [true, false]) func `at a shutdown those that wait go back, and whoever asks now does not wait`(_ isGraceful: Bool)
        throws
    {
        var world = World(concurrency: 2)
        try world.limit("slow", "1/h")
        let running = try world.arrive("slow")
        let (first, second) = (try world.arrive("slow").slot, try require(world.engine.admit(at: world.now)))
        let effects = isGraceful ? world.engine.shutdown(at: world.now) : world.engine.shutdownNow(at: world.now)
        #expect(effects == [.giveBack(first)])
        #expect(world.engine.askForTurn(second, of: "slow", at: world.now) == .giveBack)
        for slot in [running.slot, first, second] { #expect(world.end(slot) == []) }
        #expect(world.engine.nextStep() == .stop)
    }

    /// Random events in random order: no more begin than there are slots, none too early, and none is forgotten.
    @Test func `no schedule breaks the rules`() async throws {
        let tasks = ["a", "b", "c"]
        try await withSeeds(300) { random in
            var world = World(concurrency: Int.random(in: 1...4, using: &random))
            var running: Set<WorkerEngine.Slot> = []
            var waiting: [WorkerEngine.Slot: String] = [:]
            var lastBegin: [String: Instant] = [:]
            func begin(_ slot: WorkerEngine.Slot, _ task: String) throws {
                try expect(running.count < world.settings.concurrency, "more than there are slots")
                try expect(running.insert(slot).inserted, "begun twice")
                if let rate = world.settings.rates[name: task], let last = lastBegin[task] {
                    try expect(last.advanced(by: rate.interval) <= world.now, "too early")
                }
                lastBegin[task] = world.now
            }
            func takeTurns() throws {
                for slot in world.engine.takeTurns(at: world.now) {
                    try begin(slot, try require(waiting.removeValue(forKey: slot), "it did not wait"))
                }
            }
            for _ in 0..<200 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0, 1, 2:
                    guard case .receive(let limit) = world.engine.nextStep() else { break }
                    for _ in 0..<Int.random(in: 1...limit, using: &random) {
                        let task = try require(tasks.randomElement(using: &random))
                        let (slot, turn) = try world.arrive(task)
                        switch turn {
                        case .begin: try begin(slot, task)
                        case .wait: waiting[slot] = task
                        case .giveBack, .lost: throw TestFailure("\(turn)")
                        }
                    }
                    try expect(waiting.count <= world.settings.maximumWaiting || world.settings.concurrency < 4, "too many wait")
                case 3:
                    guard let slot = running.randomElement(using: &random) else { break }
                    running.remove(slot)
                    world.engine.settled(slot)
                    try takeTurns()
                case 4:
                    let size = Int.random(in: 1...4, using: &random)
                    world.change { $0.setConcurrency(size) }
                    try takeTurns()
                case 5:
                    let task = try require(tasks.randomElement(using: &random))
                    let count = Int.random(in: 0...3, using: &random)
                    if count == 0 { lastBegin[task] = nil }
                    if world.settings.rates[name: task] == nil { lastBegin[task] = nil }
                    try world.limit(task, "\(count)/s")
                    try takeTurns()
                default:
                    world.now = world.now.advanced(by: .milliseconds(Int.random(in: 0..<400, using: &random)))
                    for slot in running.union(waiting.keys) { world.engine.extended(slot, requestedAt: world.now) }
                    for effect in world.engine.tick(at: world.now) {
                        guard case .extend(let slots) = effect else { throw TestFailure("\(effect)") }
                        try expect(running.union(waiting.keys).isSuperset(of: slots), "somebody else's lease was extended")
                    }
                    try takeTurns()
                }
                try expectEqual(world.engine.occupiedSlots, running.count, "slots")
                try expectEqual(world.engine.hasWaiting, !waiting.isEmpty, "those that wait")
                if !waiting.isEmpty, running.count < world.settings.concurrency {
                    let deadline = try require(world.engine.nextDeadline, "somebody waits for time to pass")
                    try expect(deadline > world.now, "its time had come")
                }
            }
            for task in tasks { try world.limit(task, "0") }
            try takeTurns()
            while let slot = running.min() {
                running.remove(slot)
                world.engine.settled(slot)
                try takeTurns()
            }
            try expect(waiting.isEmpty, "forgotten")
            try expectEqual(world.engine.nextDeadline, nil, "a worker at rest has a deadline")
        }
    }
}
