import CacheKit
import ScaleCore
import ScaleTesting
import Testing

@Suite struct LoadingTests {
    let time = ManualTime()

    func makeCache(_ store: MemoryStore? = nil, namespace: String = "n") -> Cache {
        var configuration = CacheConfiguration()
        configuration.time = self.time.source
        return Cache(store: store ?? MemoryStore(time: self.time.source), namespace: namespace, configuration: configuration)
    }

    @Test func `the first call loads, the second is a hit`() async throws {
        let cache = self.makeCache()
        let first = try await cache.lookup(for: "k") { 7 }
        #expect(first == CacheResult(value: 7, outcome: .loaded))
        let second = try await cache.lookup(for: "k") { 8 }
        #expect(second == CacheResult(value: 7, outcome: .hit))
        #expect(cache.cached(for: "k", as: Int.self) == 7)
    }

    @Test func `a cached nothing is a hit`() async throws {
        let cache = self.makeCache()
        let loads = Tally()
        for _ in 0..<2 {
            _ = try await cache.value(for: "nil") { () -> String? in loads.add(returning: nil) }
            _ = try await cache.value(for: "false") { loads.add(returning: false) }
            _ = try await cache.value(for: "zero") { loads.add(returning: 0) }
            _ = try await cache.value(for: "list") { loads.add(returning: [Int]()) }
        }
        #expect(loads.value == 4)
        #expect(try await cache.get("nil", as: String?.self) == .some(nil))
        #expect(try await cache.contains("nil"))
        #expect(cache.cached(for: "nil", as: String?.self) == .some(nil))
    }

    @Test func `a tag ends the entries that carry it, in every cache on the store`() async throws {
        let store = MemoryStore(time: self.time.source)
        let one = self.makeCache(store)
        let other = self.makeCache(store)
        _ = try await one.value(for: "a", tags: ["t"]) { 1 }
        _ = try await one.value(for: "b", tags: ["u"]) { 1 }
        #expect(other.cached(for: "a", as: Int.self) == 1)
        try await other.invalidate(tag: "t")
        #expect(one.cached(for: "a", as: Int.self) == nil)
        #expect(one.cached(for: "b", as: Int.self) == 1)
        #expect(try await one.lookup(for: "a", tags: ["t"]) { 2 } == CacheResult(value: 2, outcome: .loaded))
    }

    @Test func `an entry ends when its time has passed, to the nanosecond`() async throws {
        let cache = self.makeCache()
        _ = try await cache.value(for: "k", expiresIn: .seconds(10)) { 1 }
        await self.time.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(cache.cached(for: "k", as: Int.self) == 1)
        await self.time.advance(by: .nanoseconds(1))
        #expect(cache.cached(for: "k", as: Int.self) == nil)
        #expect(try await cache.lookup(for: "k") { 2 }.outcome == .loaded)
    }
}
