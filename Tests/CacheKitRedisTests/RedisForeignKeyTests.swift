import CacheKit
import CacheKitRedis
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

/// Keys under which another program keeps another type: never an error for the cache, and no obstacle to what is beside them.
@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisForeignKeyTests {
    private let namespace = "cache-foreign-\(UInt64.random(in: .min ... .max))"

    private func name(_ key: String) -> String {
        StorageName.of(CacheKey(namespace: self.namespace, name: key), maximumLength: 1024)
    }

    private func makeForeign(_ name: String, _ redis: RedisClient) async throws {
        _ = try await redis.send(RedisCommand("DEL", [RedisArgument(name)]))
        _ = try await redis.send(RedisCommand("RPUSH", [RedisArgument(name), "x"]))
    }

    @Test func `a key of another type is a miss and is replaced by every verb that writes`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let cache = Cache(store: RedisCacheStore(redis), namespace: self.namespace)
        func foreign() async throws { try await self.makeForeign(self.name("k"), redis) }

        try await foreign()
        #expect(try await cache.get("k", as: Int.self) == nil)
        #expect(try await cache.contains("k") == false)
        #expect(try await cache.lookup(for: "k") { 5 }.outcome == .loaded)
        #expect(try await cache.lookup(for: "k") { 6 } == CacheResult(value: 5, outcome: .hit))
        try await foreign()
        try await cache.set(1, for: "k")
        #expect(try await cache.get("k", as: Int.self) == 1)
        try await foreign()
        #expect(try await cache.add(2, for: "k"))
        #expect(try await cache.get("k", as: Int.self) == 2)
        try await foreign()
        #expect(try await cache.replace(3, for: "k") == false)
        #expect(try await cache.touch("k") == false)
        #expect(try await cache.counter("k") == nil)
        #expect(try await cache.increment("k", initial: 10) == 11)
        await redis.shutdown()
    }

    @Test func `an invalidation passes over a key of another type and reaches those after it`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let cache = Cache(store: RedisCacheStore(redis), namespace: self.namespace)
        try await cache.setMany(["a": 1, "c": 3])
        try await self.makeForeign(self.name("b"), redis)
        try await cache.deleteMany(["a", "b", "c"])
        #expect(try await cache.getMany(["a", "b", "c"], as: Int.self).isEmpty)
        await redis.shutdown()
    }

    @Test func `a tag's epoch of another type is made anew`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let cache = Cache(store: RedisCacheStore(redis), namespace: self.namespace)
        try await self.makeForeign(StorageName.of(CacheTag(namespace: self.namespace, name: "t"), maximumLength: 1024), redis)
        #expect(try await cache.lookup(for: "k", tags: ["t"]) { 1 }.outcome == .loaded)
        #expect(try await cache.lookup(for: "k", tags: ["t"]) { 2 }.outcome == .hit)
        await redis.shutdown()
    }
}
