import CacheKit
import ScaleTesting
import Testing

/// Loads that many wait for, that take too long, and that never end.
@Suite struct LoadRaceTests {
    @Test func `200 callers on one node cause one load`() async throws {
        let nodes = Nodes()
        let loads = Tally()
        let loading = Gate("the load")
        let outcomes = try await withThrowingTaskGroup(of: CacheResult<Int>.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await nodes.one.lookup(for: "k") {
                        try await loading.pass()
                        return loads.add(returning: 7)
                    }
                }
            }
            try await loading.waitForArrivals()
            loading.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(loads.value == 1)
        #expect(outcomes.count { $0.outcome == .loaded } == 1)
        #expect(outcomes.allSatisfy { $0.value == 7 })
    }

    @Test func `a load that outlives its lease is returned and not stored`() async throws {
        let nodes = Nodes()
        let loading = Gate("the load")
        async let late = nodes.one.value(for: "k") {
            try await loading.pass()
            return "late"
        }
        try await loading.waitForArrivals()
        await nodes.time.advance(by: .seconds(31))
        loading.open()
        #expect(try await late == "late")
        #expect(try await nodes.stored("k") == nil)
    }

    @Test func `a value of no life is returned and not stored`() async throws {
        let nodes = Nodes()
        for expiry in [Duration.zero, .seconds(-1)] {
            #expect(try await nodes.one.value(for: "k", expiresIn: expiry) { "value" } == "value")
            #expect(try await nodes.stored("k") == nil)
        }
    }

    /// one:   begins, and its node dies
    /// other:                           waits for the lease's end at most, then loads
    @Test func `a node that dies in the middle of a load is waited for as long as its lease stands`() async throws {
        let nodes = Nodes(poll: .seconds(2) ... .seconds(4))
        let neverEnding = Gate("the load of the node that dies")
        let dead = Task {
            try await nodes.one.value(for: "k") {
                try await neverEnding.pass(isCancellable: false)
                return "late"
            }
        }
        try await neverEnding.waitForArrivals()
        let cache = nodes.other
        let heir = try await nodes.time.run(upTo: .seconds(40)) { try await cache.lookup(for: "k") { "heir" } }
        #expect(heir == CacheResult(value: "heir", outcome: .loaded))
        neverEnding.open()
        #expect(try await dead.value == "late")
        #expect(try await nodes.stored("k") == "heir")
    }

    @Test func `200 callers on two nodes cause one load`() async throws {
        let nodes = Nodes()
        let loads = Tally()
        let outcomes = try await nodes.time.run(upTo: .seconds(29)) {
            try await withThrowingTaskGroup(of: CacheResult<Int>.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        // With a loader that may add tags: whoever joins also compares the sequence.
                        try await (index % 2 == 0 ? nodes.one : nodes.other).lookup(for: "k") { context in
                            context.addTag("t")
                            return loads.add(returning: 7)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(loads.value == 1)
        #expect(outcomes.count { $0.outcome == .loaded } == 1)
        #expect(outcomes.allSatisfy { $0.value == 7 })
    }

    @Test func `loads of different keys run at the same time, and one may ask for another key`() async throws {
        let nodes = Nodes()
        let both = Gate("both loads")
        async let first = nodes.one.value(for: "a") {
            try await both.pass()
            return try await nodes.one.value(for: "c") { 1 }
        }
        async let second = nodes.one.value(for: "b") {
            try await both.pass()
            return 2
        }
        try await both.waitForArrivals(2)
        both.open()
        #expect(try await [first, second] == [1, 2])
    }

    @Test func `a loader that asks for its own key gets an error and does not wait for itself`() async throws {
        let nodes = Nodes()
        let error = await #expect(throws: CacheError.self) {
            try await nodes.one.value(for: "k") { try await nodes.one.value(for: "k") { 1 } }
        }
        #expect(error?.code == .recursiveLoad)
        #expect(error?.key == "k")
        // It left nothing behind.
        #expect(try await nodes.other.lookup(for: "k") { 2 } == CacheResult(value: 2, outcome: .loaded))
    }
}
