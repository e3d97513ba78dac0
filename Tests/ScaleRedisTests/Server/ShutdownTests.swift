import Logging
import ScaleRedis
import ScaleTesting
import ServiceLifecycle
import TestServers
import Testing

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct ShutdownTests {
    @Test func `commands in flight finish, later ones are refused, and the socket is closed`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        try await redis.ping()
        server.freeze()
        let call = Task { try await redis.incr("counter") }
        try await eventually("it is in flight") { redis.writtenCount == 1 }
        let shutdown = Task { await redis.shutdown() }
        try await eventually("new ones are refused") {
            let probe = Task { await redisError { try await redis.ping() } }
            if redis.isShuttingDown { return await probe.value?.code == .clientShutDown }
            probe.cancel()
            return false
        }
        server.thaw()
        #expect(try await call.value == 1)
        await shutdown.value
        await redis.shutdown()
        let watcher = try RedisClient(server.url, configuration: .test())
        // Our own side is closed when `shutdown` returns; the server may take a moment to notice.
        try await eventually("the socket is closed") { try await watcher.info(section: "clients")["connected_clients"] == "1" }
    }

    @Test func `as a service it waits for the graceful shutdown`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let group = ServiceGroup(services: [redis], logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let running = Task { try await group.run() }
        try await redis.ping()
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(await redisError { try await redis.ping() }?.code == .clientShutDown)
    }

    @Test func `a client that was never used shuts down`() async throws {
        let redis = try RedisClient("redis://127.0.0.1:1")
        await redis.shutdown()
        #expect(await redisError { try await redis.ping() }?.code == .clientShutDown)
        #expect(await redisError { try await redis.withConnection { try await $0.ping() } }?.code == .clientShutDown)
    }
}
