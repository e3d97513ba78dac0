import CacheKit
import CacheKitRedis
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisStoreTests {
    @Test func `a value over the limit is an error that names limit and size`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let cache = Cache(store: RedisCacheStore(redis, maximumValueSize: 1_000), namespace: Self.namespace())
        try await cache.set([UInt8](repeating: 1, count: 100), for: "k")
        let error = await #expect(throws: CacheError.self) { try await cache.set([UInt8](repeating: 1, count: 2_000), for: "k") }
        #expect(error?.code == .valueTooLarge)
        #expect(error?.limit == 1_000)
        #expect((error?.size ?? 0) > 2_000)
        #expect(try await cache.get("k", as: [UInt8].self) == nil)
        await redis.shutdown()
    }

    @Test func `two nodes load once, and one's invalidation is the other's miss`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let namespace = Self.namespace()
        let one = Cache(store: RedisCacheStore(redis), namespace: namespace)
        let other = Cache(store: RedisCacheStore(redis), namespace: namespace)
        #expect(try await one.lookup(for: "k", tags: ["t"]) { [String]() }.outcome == .loaded)
        #expect(try await other.lookup(for: "k", tags: ["t"]) { ["x"] } == CacheResult(value: [], outcome: .hit))
        try await other.invalidate(tag: "t")
        #expect(try await one.lookup(for: "k", tags: ["t"]) { ["y"] } == CacheResult(value: ["y"], outcome: .loaded))
        await redis.shutdown()
    }

    @Test func `damaged bytes are a miss and are replaced`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let namespace = Self.namespace()
        let cache = Cache(store: RedisCacheStore(redis), namespace: namespace)
        let name = StorageName.of(CacheKey(namespace: namespace, name: "k"), maximumLength: 1024)
        for damaged in ["x", "SK", "SK\u{2}" + String(repeating: "a", count: 90), String(repeating: "z", count: 500)] {
            _ = try await redis.send(RedisCommand("SET", [RedisArgument(name), RedisArgument(damaged)]))
            #expect(try await cache.lookup(for: "k") { 5 }.outcome == .loaded)
            #expect(try await cache.lookup(for: "k") { 6 } == CacheResult(value: 5, outcome: .hit))
        }
        await redis.shutdown()
    }

    private static func namespace() -> String { "cache-tests-\(UInt64.random(in: .min ... .max))" }
}
