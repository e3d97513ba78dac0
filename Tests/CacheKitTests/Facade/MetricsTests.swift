import CacheKitTesting
import MetricsTestKit
import ScaleTesting
import Testing

@testable import CacheKit

@Suite struct MetricsTests {
    private let metrics = TestMetrics()

    private func makeCache(_ store: some CacheStore, namespace: String = "n") -> Cache {
        var configuration = CacheConfiguration()
        configuration.metrics = self.metrics
        configuration.invalidationTimeLimit = .zero
        return Cache(store: store, namespace: namespace, configuration: configuration)
    }

    /// Hits, misses, loads, joins, errors.
    private func counts(_ namespace: String = "n") throws -> [Int64] {
        try ["hits", "misses", "loads", "joins", "errors"].map {
            try self.metrics.expectCounter("cache.\($0)", [("cache", namespace)]).totalValue
        }
    }

    @Test func `hits, misses and loads are counted, for each cache`() async throws {
        let store = MemoryStore()
        let cache = self.makeCache(store)
        let other = self.makeCache(store, namespace: "other")
        _ = try await cache.value(for: "k") { 1 }
        #expect(try self.counts() == [0, 1, 1, 0, 0])
        _ = try await cache.value(for: "k") { 1 }
        _ = cache.cached(for: "k", as: Int.self)
        _ = try await cache.get("k", as: Int.self)
        #expect(try self.counts() == [3, 1, 1, 0, 0])
        _ = cache.cached(for: "none", as: Int.self)
        _ = try await cache.getMany(["k", "none"], as: Int.self)
        #expect(try self.counts() == [4, 3, 1, 0, 0])
        _ = try await other.get("k", as: Int.self)
        #expect(try self.counts("other") == [0, 1, 0, 0, 0])
        #expect(try self.counts() == [4, 3, 1, 0, 0])
    }

    @Test func `who waits for another's load is a join and a miss, and no load`() async throws {
        let cache = self.makeCache(MemoryStore())
        let loading = Gate("the load")
        async let first = cache.value(for: "k") {
            try await loading.pass()
            return 1
        }
        try await loading.waitForArrivals()
        async let second = cache.value(for: "k") { 2 }
        try await eventually("the second waits") { cache.flights.waiterCount == 2 }
        loading.open()
        #expect(try await [first, second] == [1, 1])
        #expect(try self.counts() == [0, 2, 1, 1, 0])
    }

    @Test func `failures of the store are counted`() async throws {
        let store = FakeCacheStore()
        let cache = self.makeCache(store)
        store.faults.failNext(.read, with: FakeCacheStore.down)
        _ = try await cache.value(for: "k") { 1 }
        #expect(try self.counts() == [0, 1, 1, 0, 1])
        store.faults.failNext(.write, with: FakeCacheStore.down)
        await #expect(throws: CacheError.self) { try await cache.set(1, for: "k") }
        #expect(try self.counts()[4] == 2)
        store.faults.failNext(.commit, with: FakeCacheStore.down)
        _ = try await cache.value(for: "k") { 1 }
        #expect(try self.counts()[4] == 3)
        // A caller's own mistake is no failure of the store.
        await #expect(throws: CacheError.self) { try await cache.increment("none") }
        #expect(try self.counts()[4] == 3)
    }
}
