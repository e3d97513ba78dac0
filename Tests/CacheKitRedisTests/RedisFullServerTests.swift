import CacheKit
import CacheKitRedis
import ScaleCore
import ScaleRedis
import TestServers
import Testing

/// A server that has no memory left, and evicts nothing.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct RedisFullServerTests {
    private let key = CacheKey(namespace: "n", name: "k")

    private func fill(_ redis: RedisClient) async throws {
        _ = try await redis.send(RedisCommand("CONFIG", ["SET", "maxmemory", "1"]))
    }

    @Test func `a lease is given back, so that nobody waits for its end`() async throws {
        let server = try await PrivateRedis.running("--maxmemory-policy", "noeviction")
        let redis = try RedisClient(server.url, configuration: .patient)
        let store = RedisCacheStore(redis)
        let cache = Cache(store: store, namespace: "n")
        try await cache.set(1, for: "k")
        let seen = try #require(try await store.read([self.key], epochs: []).entries.first?.sighting)
        let first = try #require(LeaseToken(high: 1, low: 1))
        #expect(try await store.begin(self.key, seen: seen, token: first, lease: .seconds(30)) == .granted)
        try await self.fill(redis)
        try await store.abandon(self.key, token: first)
        // The record went with the lease; there is nothing to wait for.
        #expect(try await store.read([self.key], epochs: []).entries.first?.sighting == .absent)
        await redis.shutdown()
    }

    @Test func `an increment says that the store refused it, and not that a value is in its place`() async throws {
        let server = try await PrivateRedis.running("--maxmemory-policy", "noeviction")
        let redis = try RedisClient(server.url, configuration: .patient)
        let cache = Cache(store: RedisCacheStore(redis), namespace: "n")
        #expect(try await cache.increment("hits", initial: 0) == 1)
        try await self.fill(redis)
        let error = await #expect(throws: CacheError.self) { _ = try await cache.increment("hits") }
        #expect(error?.code == .storeUnavailable)
        #expect(try await cache.counter("hits") == 1)
        await redis.shutdown()
    }

    @Test func `a lease that is longer than the longest is respected by those who ask for as long a one`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .patient)
        let store = RedisCacheStore(redis, longestLease: .seconds(10))
        let one = try #require(LeaseToken(high: 1, low: 1))
        let other = try #require(LeaseToken(high: 2, low: 2))
        #expect(try await store.begin(self.key, seen: .absent, token: one, lease: .seconds(7_200)) == .granted)
        let seen = try #require(try await store.read([self.key], epochs: []).entries.first?.sighting)
        guard case .held(by: one, remaining: _) = try await store.begin(self.key, seen: seen, token: other, lease: .seconds(7_200)) else {
            Issue.record("the lease was taken away")
            return
        }
        await redis.shutdown()
    }
}
