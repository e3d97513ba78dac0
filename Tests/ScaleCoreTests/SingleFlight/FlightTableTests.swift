import ScaleTesting
import Testing

@testable import ScaleCore

/// The rules alone: waiters are names, work is a number, and the test plays the shell.
struct FlightTableTests {
    typealias Table = FlightTable<String, String, Int>

    private static func start(_ table: inout Table, _ key: String, _ waiter: String) throws -> (Table.WaiterID, Table.FlightID) {
        let id = table.makeWaiterID()
        guard case .start(let flight) = table.join(key, as: id, waiter) else { throw TestFailure("\(waiter) did not start a flight") }
        return (id, flight)
    }

    private static func wait(_ table: inout Table, _ key: String, _ waiter: String) throws -> Table.WaiterID {
        let id = table.makeWaiterID()
        guard case .wait = table.join(key, as: id, waiter) else { throw TestFailure("\(waiter) did not join") }
        return id
    }

    @Test func `the first starts, the others join, all are told in the order of their coming`() throws {
        var table = Table()
        let (_, flight) = try Self.start(&table, "k", "a")
        for waiter in ["b", "c", "d"] { _ = try Self.wait(&table, "k", waiter) }
        #expect(table.started(flight, work: 1) == .none)
        #expect(table.waiterCount(for: "k") == 4)
        #expect(table.finish(flight) == ["a", "b", "c", "d"])
        #expect(table.isEmpty)
    }

    @Test func `keys have flights of their own`() throws {
        var table = Table()
        let (_, first) = try Self.start(&table, "k", "a")
        let (_, second) = try Self.start(&table, "l", "b")
        #expect(table.finish(second) == ["b"])
        #expect(table.isInFlight("k") && !table.isInFlight("l"))
        #expect(table.finish(first) == ["a"])
        #expect(table.isEmpty)
    }

    @Test func `one that leaves is told alone`() throws {
        var table = Table()
        let (a, flight) = try Self.start(&table, "k", "a")
        _ = try Self.wait(&table, "k", "b")
        _ = table.started(flight, work: 1)
        guard case .resume("a") = table.leave(a) else { throw TestFailure("not a alone") }
        #expect(table.finish(flight) == ["b"])
        #expect(table.isEmpty)
    }

    @Test func `the last one that leaves takes the work along`() throws {
        var table = Table()
        let (a, flight) = try Self.start(&table, "k", "a")
        let b = try Self.wait(&table, "k", "b")
        _ = table.started(flight, work: 7)
        guard case .resume("b") = table.leave(b) else { throw TestFailure("not b alone") }
        guard case .resumeAndCancel("a", 7) = table.leave(a) else { throw TestFailure("the work is not cancelled") }
        #expect(table.isEmpty)
        #expect(table.finish(flight).isEmpty)
    }

    @Test func `all leave before the work is reported: the report says to cancel it`() throws {
        var table = Table()
        let (a, flight) = try Self.start(&table, "k", "a")
        guard case .resumeAndCancel("a", nil) = table.leave(a) else { throw TestFailure("unexpected") }
        #expect(table.started(flight, work: 7) == .cancel)
        #expect(table.isEmpty)
    }

    @Test func `one who comes after all have left starts anew`() throws {
        var table = Table()
        let (a, old) = try Self.start(&table, "k", "a")
        _ = table.started(old, work: 1)
        _ = table.leave(a)
        let (_, new) = try Self.start(&table, "k", "b")
        #expect(table.finish(old).isEmpty)
        #expect(table.isInFlight("k"))
        #expect(table.finish(new) == ["b"])
        #expect(table.isEmpty)
    }

    @Test func `after detaching a new flight starts and each gets its own result`() throws {
        var table = Table()
        let (_, old) = try Self.start(&table, "k", "a")
        table.detach("k")
        let (_, new) = try Self.start(&table, "k", "b")
        _ = try Self.wait(&table, "k", "c")
        #expect(table.finish(old) == ["a"])
        #expect(table.isInFlight("k"))
        #expect(table.finish(new) == ["b", "c"])
        #expect(table.isEmpty)
    }

    @Test func `a detached flight is cancelled when its own waiters have left`() throws {
        var table = Table()
        let (a, old) = try Self.start(&table, "k", "a")
        _ = table.started(old, work: 1)
        table.detachAll()
        let (_, new) = try Self.start(&table, "k", "b")
        guard case .resumeAndCancel("a", 1) = table.leave(a) else { throw TestFailure("the detached work is not cancelled") }
        #expect(table.isInFlight("k"))
        #expect(table.finish(new) == ["b"])
        #expect(table.isEmpty)
    }

    @Test func `leaving after the end, twice, or before joining does nothing`() throws {
        var table = Table()
        let stranger = table.makeWaiterID()
        guard case .none = table.leave(stranger) else { throw TestFailure("a stranger left") }
        let (a, flight) = try Self.start(&table, "k", "a")
        _ = table.finish(flight)
        guard case .none = table.leave(a) else { throw TestFailure("a left after the end") }
        #expect(table.isEmpty)
    }

    /// Thousands of schedules against what the rules say in one sentence each: a waiter is told exactly once; work is cancelled exactly when its last
    /// waiter has left; at the end nothing is remembered.
    @Test func `in every order of events each waiter is told exactly once`() async throws {
        struct Waiter { let id: Table.WaiterID; let flight: Table.FlightID; var told = 0 }
        try await withSeeds(200) { generator in
            var table = Table()
            var waiters: [String: Waiter] = [:]
            var current: [String: Table.FlightID] = [:]
            var running: Set<Table.FlightID> = []
            func told(_ name: String) { waiters[name]?.told += 1 }
            for step in 0..<60 {
                let key = ["k", "l"].randomElement(using: &generator) ?? "k"
                switch Int.random(in: 0..<8, using: &generator) {
                case 0...3:
                    let id = table.makeWaiterID()
                    switch table.join(key, as: id, "\(step)") {
                    case .start(let flight):
                        try expect(current[key] == nil, "started beside a flight")
                        current[key] = flight
                        running.insert(flight)
                        try expect(table.started(flight, work: step) == .none)
                    case .wait: break
                    }
                    waiters["\(step)"] = Waiter(id: id, flight: try require(current[key]))
                case 4, 5:
                    guard
                        let (name, waiter) = waiters.filter({ $0.value.told == 0 }).sorted(by: { $0.key < $1.key })
                            .randomElement(using: &generator)
                    else { continue }
                    let others = waiters.contains { $0.value.flight == waiter.flight && $0.key != name && $0.value.told == 0 }
                    switch table.leave(waiter.id) {
                    case .none: throw TestFailure("\(name) waited and was not found")
                    case .resume(let resumed):
                        try expect(resumed == name && others)
                    case .resumeAndCancel(let resumed, let work):
                        try expect(resumed == name && !others && work != nil)
                        running.remove(waiter.flight)
                        for (key, flight) in current where flight == waiter.flight { current[key] = nil }
                    }
                    told(name)
                case 6:
                    guard let flight = running.randomElement(using: &generator) else { continue }
                    running.remove(flight)
                    for (key, other) in current where other == flight { current[key] = nil }
                    table.finish(flight).forEach(told)
                default:
                    table.detach(key)
                    current[key] = nil
                }
                try expect(waiters.values.allSatisfy { $0.told <= 1 }, "told twice")
            }
            for flight in running { table.finish(flight).forEach(told) }
            try expect(waiters.values.allSatisfy { $0.told == 1 }, "never told")
            try expect(table.isEmpty, "something is remembered")
        }
    }
}
