import MetricsTestKit
import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// Least recently used entries give way, exactly at the bounds.
@Suite struct EvictionTests {
    private let time = ManualTime()
    private let metrics = TestMetrics()

    private func makeCache(_ limits: MemoryLimits, namespace: String = "n") -> (Cache, MemoryStore) {
        let store = MemoryStore(limits: limits, time: self.time.source, metrics: self.metrics)
        var configuration = CacheConfiguration()
        configuration.time = self.time.source
        return (Cache(store: store, namespace: namespace, configuration: configuration), store)
    }

    private func evictions(_ namespace: String = "n") throws -> Int64 {
        try self.metrics.expectCounter("cache.evictions", [("cache", namespace)]).totalValue
    }

    private func present(_ cache: Cache, _ keys: String...) async throws -> [String] {
        var present: [String] = []
        for key in keys where try await cache.contains(key) { present.append(key) }
        return present
    }

    @Test func `the bound by count evicts the least recently used, one for one`() async throws {
        let (cache, store) = self.makeCache(MemoryLimits(maximumCount: 3))
        for key in ["a", "b", "c"] { try await cache.set(key, for: key) }
        #expect(store.count == 3)
        #expect(try self.evictions() == 0)
        #expect(cache.cached(for: "a", as: String.self) == "a")
        try await cache.set("d", for: "d")
        #expect(try await self.present(cache, "a", "b", "c", "d") == ["a", "c", "d"])
        #expect(store.count == 3)
        #expect(try self.evictions() == 1)
        // Writing again is a use and takes no second place.
        try await cache.set("c2", for: "c")
        try await cache.set("e", for: "e")
        #expect(try await self.present(cache, "a", "b", "c", "d", "e") == ["c", "d", "e"])
        #expect(try self.evictions() == 2)
    }

    @Test func `looking whether an entry is there does not make it recently used`() async throws {
        let (cache, _) = self.makeCache(MemoryLimits(maximumCount: 2))
        try await cache.set(1, for: "a")
        try await cache.set(1, for: "b")
        #expect(try await cache.contains("a"))
        #expect(try await cache.get("b", as: Int.self) == 1)
        try await cache.set(1, for: "c")
        #expect(try await self.present(cache, "a", "b", "c") == ["b", "c"])
    }

    @Test func `the bound by cost counts values, keys, tags and a share for each entry`() async throws {
        let one = MemoryLimits.entryOverhead + 1 + 100 + 8  // the namespace's tag has no name
        let (cache, store) = self.makeCache(MemoryLimits(maximumCount: nil, maximumCost: 3 * one))
        let value = [UInt8](repeating: 1, count: 100)
        for key in ["a", "b", "c"] { try await cache.set(value, for: key) }
        #expect(store.cost == 3 * one)
        #expect(try self.evictions() == 0)
        try await cache.set(value + [1], for: "a")
        #expect(try await self.present(cache, "a", "b", "c") == ["a", "c"])
        #expect(store.cost == 2 * one + 1)
        // A large one pushes out as many as it needs.
        try await cache.set([UInt8](repeating: 1, count: 100 + 2 * one), for: "d")
        #expect(try await self.present(cache, "a", "c", "d") == ["d"])
        #expect(try self.evictions() == 3)
        try await cache.delete("d")
        #expect(store.cost == 0)
        #expect(store.count == 0)
    }

    @Test func `a value over the limit is an error with limit and size, and pushes nobody out`() async throws {
        let limit = 1_000
        let (cache, store) = self.makeCache(MemoryLimits(maximumCost: limit))
        let most = limit - MemoryLimits.entryOverhead - 1 - 8
        try await cache.set([UInt8](repeating: 1, count: 10), for: "a")
        let error = await #expect(throws: CacheError.self) { try await cache.set([UInt8](repeating: 1, count: most + 1), for: "b") }
        #expect(error?.code == .valueTooLarge)
        #expect(error?.limit == limit)
        #expect(error?.size == limit + 1)
        #expect(error?.key == "b")
        #expect(error?.message.contains("1000") == true)
        #expect(error?.message.contains("1001") == true)
        #expect(store.count == 1)
        let loading = await #expect(throws: CacheError.self) { try await cache.value(for: "b") { [UInt8](repeating: 1, count: most + 1) } }
        #expect(loading?.code == .valueTooLarge)
        #expect(try await cache.lookup(for: "b") { [UInt8]() }.outcome == .loaded)
        try await cache.set([UInt8](repeating: 1, count: most), for: "c")
        #expect(try await self.present(cache, "a", "b", "c") == ["c"])
        // The older value is not the current one any more.
        await #expect(throws: CacheError.self) { try await cache.set([UInt8](repeating: 1, count: most + 1), for: "c") }
        #expect(try await self.present(cache, "c").isEmpty)
    }

    @Test func `an expired entry gives way before a live one, and is no eviction`() async throws {
        let (cache, store) = self.makeCache(MemoryLimits(maximumCount: 3))
        try await cache.set(1, for: "short", expiresIn: .seconds(1))
        try await cache.set(1, for: "a")
        #expect(try await cache.get("short", as: Int.self) == 1)
        try await cache.set(1, for: "b")
        await self.time.advance(by: .seconds(1))
        try await cache.set(1, for: "c")
        #expect(try await self.present(cache, "short", "a", "b", "c") == ["a", "b", "c"])
        #expect(store.count == 3)
        #expect(try self.evictions() == 0)
    }

    @Test func `leases without a value push nobody out`() async throws {
        let (cache, store) = self.makeCache(MemoryLimits(maximumCount: 1))
        try await cache.set(1, for: "a")
        await #expect(throws: CacheError.self) {
            try await cache.value(for: "b") { () -> Int in
                #expect(cache.cached(for: "a", as: Int.self) == 1)
                throw CacheError(code: .unsupported, message: "")
            }
        }
        #expect(store.count == 1)
        #expect(try await self.present(cache, "a") == ["a"])
    }

    @Test(arguments: [0, -1]) func `a store without room keeps nothing, and loads all the same`(room: Int) async throws {
        let (cache, store) = self.makeCache(MemoryLimits(maximumCount: room))
        #expect(try await cache.lookup(for: "k") { 1 } == CacheResult(value: 1, outcome: .loaded))
        #expect(try await cache.lookup(for: "k") { 2 } == CacheResult(value: 2, outcome: .loaded))
        #expect(store.count == 0)
    }

    @Test func `evictions are counted for the namespace whose entry goes`() async throws {
        let store = MemoryStore(limits: MemoryLimits(maximumCount: 1), metrics: self.metrics)
        let (one, other) = (Cache(store: store, namespace: "one"), Cache(store: store, namespace: "other"))
        try await one.set(1, for: "k")
        try await other.set(1, for: "k")
        #expect(try self.evictions("one") == 1)
        #expect(try self.evictions("other") == 0)
    }

    @Test func `a thousand random steps keep count, cost and order as a simple model has them`() async throws {
        try await withSeed { random in
            var table = MemoryTable(limits: MemoryLimits(maximumCount: 5), random: RandomSource(random.split()))
            var model: [(name: String, end: Int)] = []  // most recent first
            for step in 0..<1_000 {
                let name = "k\(Int.random(in: 0..<9, using: &random))"
                let now = Instant(nanoseconds: Int64(step))
                model.removeAll { $0.end <= step }
                let key = CacheKey(namespace: "", name: name)
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    _ = table.remove(key, at: now)
                    model.removeAll { $0.name == name }
                default:
                    let life = Int.random(in: 1...40, using: &random)
                    let record = CacheRecord(nonce: .random(using: &random), schema: 0, tags: [], body: .bytes([1]))
                    table.write(StoreWrite(key: key, record: record, life: CacheLife(.nanoseconds(life))), at: now)
                    model.removeAll { $0.name == name }
                    model.insert((name, step + life), at: 0)
                    if model.count > 5 { model.removeLast() }
                }
                let live = table.namesByRecency.filter { table.find(EntryKey(space: 0, name: $0), at: now) != nil }
                try expectEqual(live, model.map(\.name), "at step \(step)")
                try expectEqual(table.count, live.count)
                try expectEqual(table.cost, live.count * (MemoryLimits.entryOverhead + 3))
            }
        }
    }

    /// An instance whose end looks into the cache that it was in.
    private final class Curious: Codable, Sendable {
        private let cache: Locked<Cache?>

        init(_ cache: Cache) { self.cache = Locked(cache) }
        init(from decoder: any Decoder) { self.cache = Locked(nil) }
        func encode(to encoder: any Encoder) throws { try [Int]().encode(to: encoder) }
        deinit { _ = self.cache.withLock { $0 }?.cached(for: "other", as: Int.self) }
    }

    @Test func `a value that gives way may use the cache as it ends`() async throws {
        let time = ManualTime()
        let cache = Cache(store: MemoryStore(limits: MemoryLimits(maximumCount: 2), time: time.source))
        try await cache.set(Curious(cache), for: "replaced")
        try await cache.set(1, for: "replaced")
        try await cache.set(Curious(cache), for: "removed")
        try await cache.deleteMany(["removed"])
        try await cache.set(Curious(cache), for: "expired", expiresIn: .seconds(1))
        await time.advance(by: .seconds(2))
        #expect(try await cache.contains("expired") == false)
        try await cache.set(Curious(cache), for: "evicted")
        for key in ["a", "b", "c"] { try await cache.set(1, for: key) }
        #expect(try await cache.contains("evicted") == false)
    }
}
