import CacheKit
import CacheKitRedis
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

/// A server that goes away and comes back.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct RedisOutageTests {
    @Test func `loads go on without the server, writes say so, and all is well again when it is back`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url)
        var configuration = CacheConfiguration()
        configuration.invalidationTimeLimit = .milliseconds(100)
        let cache = Cache(store: RedisCacheStore(redis), namespace: "n", configuration: configuration)
        #expect(try await cache.value(for: "k") { "stored" } == "stored")

        try await server.kill()
        #expect(try await cache.value(for: "k") { "loaded" } == "loaded")
        #expect(try await cache.get("k", as: String.self) == nil)
        let write = await #expect(throws: CacheError.self) { try await cache.set("x", for: "k") }
        #expect(write?.code == .storeUnavailable)
        let invalidation = await #expect(throws: CacheError.self) { try await cache.invalidate(key: "k") }
        #expect(invalidation?.code == .notConfirmed)

        try await server.start()
        try await eventually("the cache stores again") {
            _ = try await cache.value(for: "k") { "again" }
            return try await cache.get("k", as: String.self) == "again"
        }
        await redis.shutdown()
    }
}
