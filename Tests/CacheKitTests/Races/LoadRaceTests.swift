import CacheKit
import CacheKitTesting
import ScaleCore
import ScaleTesting
import Testing

/// Loads that many wait for, that fail, that are cancelled, that take too long, and stores that are down.
@Suite struct LoadRaceTests {
    private struct LoaderFailed: Error, Equatable {}

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

    @Test func `a loader's error reaches its caller, is not stored, and the next call loads at once`() async throws {
        let nodes = Nodes()
        await #expect(throws: LoaderFailed()) {
            try await nodes.one.value(for: "k") { () -> Int in throw LoaderFailed() }
        }
        // The lease was given back: the other node does not wait for it.
        #expect(try await nodes.other.lookup(for: "k") { 1 } == CacheResult(value: 1, outcome: .loaded))
    }

    @Test func `a load is cancelled when nobody waits for it any more`() async throws {
        let nodes = Nodes()
        let loading = Gate("the load")
        let wasCancelled = Gate("the loader saw the cancellation")
        let caller = Task {
            try await nodes.one.value(for: "k") {
                do {
                    try await loading.pass()
                } catch {
                    try? await wasCancelled.pass(isCancellable: false)
                    throw error
                }
                return 1
            }
        }
        try await loading.waitForArrivals()
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        try await wasCancelled.waitForArrivals()
        wasCancelled.open()
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

    @Test func `a read that fails is a miss, whose value is not written`() async throws {
        let store = FakeCacheStore()
        let cache = store.cache()
        store.faults.failNext(.read, with: FakeCacheStore.down)
        #expect(try await cache.value(for: "k") { "value" } == "value")
        #expect(!store.facts.all.contains { $0.verb == .begin || $0.verb == .commit || $0.verb == .write })
        #expect(try await cache.lookup(for: "k") { "next" } == CacheResult(value: "next", outcome: .loaded))
    }

    @Test func `an invalidation that the store did not confirm throws, and is delivered before the next read`() async throws {
        let store = FakeCacheStore()
        let cache = store.cache()
        _ = try await cache.value(for: "k") { "old" }
        store.faults.failNext(.remove, with: FakeCacheStore.down)
        await #expect(throws: CacheError.self) { try await cache.invalidate(key: "k") }
        #expect(try await cache.value(for: "k") { "new" } == "new")
    }
}
