import ScaleCore
import ScaleTesting
import Testing

struct SingleFlightTests {
    struct Boom: Error, Equatable {}

    enum Context {
        @TaskLocal static var request = "none"
    }

    /// A load that says when it begins and ends, and returns when the test lets it.
    final class Load: Sendable {
        let gate = Gate("load")
        let facts = RecordedFacts<String>()
        let name: String

        init(_ name: String = "value") { self.name = name }

        func run() async throws -> String {
            self.facts.record("begin")
            do {
                try await self.gate.pass()
            } catch {
                self.facts.record(error is CancellationError ? "cancelled" : "\(error)")
                throw error
            }
            self.facts.record("end")
            return self.name
        }
    }

    private static func joined(_ flights: SingleFlight<String, String>, _ count: Int, _ key: String = "k") async throws {
        try await eventually("\(count) callers wait") { flights.waiterCount(for: key) == count }
    }

    @Test func `200 callers of a key cause one load, and all get its value`() async throws {
        let (flights, load) = (SingleFlight<String, String>(), Load())
        let callers = (0..<200).map { _ in Task { try await flights.outcome(for: "k") { try await load.run() } } }
        try await Self.joined(flights, 200)
        load.gate.open()
        var started = 0
        for caller in callers {
            let outcome = try await caller.value
            #expect(outcome.value == "value")
            if outcome.role == .started { started += 1 }
        }
        #expect(started == 1)
        #expect(load.facts.all == ["begin", "end"])
        #expect(flights.isIdle)
    }

    @Test func `keys do not wait for each other`() async throws {
        let (flights, load) = (SingleFlight<String, String>(), Load())
        let slow = Task { try await flights.value(for: "slow") { try await load.run() } }
        try await load.gate.waitForArrivals()
        #expect(try await flights.value(for: "fast") { "fast" } == "fast")
        load.gate.open()
        #expect(try await slow.value == "value")
    }

    /// first:  joins ── cancelled: CancellationError at once
    /// second:    joins ───────────────────────────── value
    @Test func `a caller that is cancelled harms no other, even the one that started the load`() async throws {
        let (flights, load) = (SingleFlight<String, String>(), Load())
        let first = Task { try await flights.value(for: "k") { try await load.run() } }
        try await load.gate.waitForArrivals()
        let second = Task { try await flights.value(for: "k") { "another load" } }
        try await Self.joined(flights, 2)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(load.facts.all == ["begin"])
        load.gate.open()
        #expect(try await second.value == "value")
        #expect(load.facts.all == ["begin", "end"])
    }

    @Test func `a caller that joined and is cancelled gets its error before the load ends`() async throws {
        let (flights, load) = (SingleFlight<String, String>(), Load())
        let first = Task { try await flights.value(for: "k") { try await load.run() } }
        try await load.gate.waitForArrivals()
        let second = Task { try await flights.value(for: "k") { try await load.run() } }
        try await Self.joined(flights, 2)
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(flights.waiterCount(for: "k") == 1)
        load.gate.open()
        #expect(try await first.value == "value")
    }

    @Test func `the load is cancelled when every caller is`() async throws {
        let (flights, load) = (SingleFlight<String, String>(), Load())
        let callers = (0..<5).map { _ in Task { try await flights.value(for: "k") { try await load.run() } } }
        try await Self.joined(flights, 5)
        try await load.gate.waitForArrivals()
        for caller in callers.dropLast() {
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
        }
        #expect(load.facts.all == ["begin"])
        callers[4].cancel()
        await #expect(throws: CancellationError.self) { try await callers[4].value }
        #expect(try await load.facts.waitForCount(2) == ["begin", "cancelled"])
        #expect(flights.isIdle)
    }

    /// old:  begins ── cancelled by all ──────────── still runs, and ends
    /// new:                              begins ── returns its own value
    @Test func `a caller that comes after all were cancelled does not join the cancelled load`() async throws {
        let (flights, stubborn) = (SingleFlight<String, String>(), Gate("stubborn"))
        let ended = RecordedFacts<String>()
        let old = Task {
            try await flights.value(for: "k") {
                try await stubborn.pass(isCancellable: false)
                ended.record("old")
                return "old"
            }
        }
        try await stubborn.waitForArrivals()
        old.cancel()
        await #expect(throws: CancellationError.self) { try await old.value }
        #expect(try await flights.value(for: "k") { "new" } == "new")
        #expect(ended.all.isEmpty)
        stubborn.open()
        _ = try await ended.first { $0 == "old" }
        #expect(flights.isIdle)
    }

    @Test func `an error reaches all callers and is not remembered`() async throws {
        let (flights, gate) = (SingleFlight<String, String>(), Gate())
        let callers = (0..<20).map { _ in
            Task {
                try await flights.value(for: "k") {
                    try await gate.pass()
                    throw Boom()
                }
            }
        }
        try await Self.joined(flights, 20)
        gate.open()
        for caller in callers { await #expect(throws: Boom()) { try await caller.value } }
        #expect(gate.arrivals == 1)
        #expect(try await flights.value(for: "k") { "after" } == "after")
    }

    @Test func `a value is not remembered`() async throws {
        let flights = SingleFlight<String, Int>()
        for number in 1...3 {
            let outcome = try await flights.outcome(for: "k") { number }
            #expect(outcome.value == number)
            #expect(outcome.role == .started)
        }
        #expect(flights.isIdle)
    }

    @Test func `a load that throws CancellationError by itself passes it on and is forgotten`() async throws {
        let flights = SingleFlight<String, String>()
        await #expect(throws: CancellationError.self) { try await flights.value(for: "k") { throw CancellationError() } }
        #expect(try await flights.value(for: "k") { "after" } == "after")
    }

    /// reader:  load begins, sees old ────────────────── old
    /// writer:                 changes, detaches
    /// later:                                    load begins, sees new
    @Test func `after detaching, later callers load anew and earlier ones get theirs`() async throws {
        let (flights, before, after) = (SingleFlight<String, String>(), Load("old"), Load("new"))
        let early = Task { try await flights.value(for: "k") { try await before.run() } }
        try await before.gate.waitForArrivals()
        flights.detach("k")
        #expect(!flights.isInFlight("k"))
        let late = (0..<2).map { _ in Task { try await flights.value(for: "k") { try await after.run() } } }
        try await Self.joined(flights, 2)
        before.gate.open()
        #expect(try await early.value == "old")
        after.gate.open()
        for caller in late { #expect(try await caller.value == "new") }
        #expect(after.gate.arrivals == 1)
        #expect(flights.isIdle)
    }

    @Test func `a cancelled task neither starts a load nor joins one`() async throws {
        let flights = SingleFlight<String, String>()
        let facts = RecordedFacts<String>()
        let caller = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await flights.value(for: "k") {
                facts.record("begin")
                return "value"
            }
        }
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(facts.all.isEmpty)
        #expect(flights.isIdle)
    }

    @Test func `the load sees the task-local values of the caller that started it`() async throws {
        let (flights, gate) = (SingleFlight<String, String>(), Gate())
        let load: @Sendable () async throws -> String = {
            try await gate.pass()
            return Context.request
        }
        let first = Context.$request.withValue("first") { Task { try await flights.value(for: "k", load) } }
        try await gate.waitForArrivals()
        let second = Context.$request.withValue("second") { Task { try await flights.value(for: "k", load) } }
        try await Self.joined(flights, 2)
        gate.open()
        #expect(try await first.value == "first")
        #expect(try await second.value == "first")
    }

    @Test func `callers, cancellations and detachments that race leave nothing behind`() async throws {
        let flights = SingleFlight<Int, Int>()
        try await withSeed { generator in
            for _ in 0..<20 {
                var choices = generator.split()
                let callers = (0..<50).map { number in
                    let key = Int.random(in: 0..<3, using: &choices)
                    return Task {
                        try await flights.value(for: key) {
                            await Task.yield()
                            return key
                        } == key
                    }
                }
                for caller in callers where Bool.random(using: &choices) { caller.cancel() }
                flights.detach(Int.random(in: 0..<3, using: &choices))
                for caller in callers {
                    switch await caller.result {
                    case .success(let isRight): try expect(isRight, "a value of another key")
                    case .failure(let error): try expect(error is CancellationError, "\(error)")
                    }
                }
                try await eventually("every flight has ended") { flights.isIdle }
            }
        }
    }
}
