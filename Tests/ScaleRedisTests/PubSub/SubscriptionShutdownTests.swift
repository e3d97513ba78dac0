import ScaleCore
import ScaleTesting
import Testing

@testable import ScaleRedis

/// Subscriptions that are being made while the client is shut down. No server is there, and no time-out passes.
@Suite struct SubscriptionShutdownTests {
    let redis: RedisClient

    init() throws {
        let time = ManualTime()
        self.redis = try RedisClient("redis://127.0.0.1:1", configuration: .test { $0.time = time.source })
    }

    /// subscriber:  connects, waits ─────────────── error
    /// owner:                         shuts down
    @Test(.timeLimit(.minutes(5))) func `a subscription that waits for its server ends with the client`() async throws {
        let connection = self.redis.makeSubscriptionConnection(["c"], [], .init())
        _ = try self.redis.dependents.add { connection.close() }
        let call = Task { await redisError { try await connection.open() } }
        try await eventually("it waits") { connection.isAwaited }
        await self.redis.shutdown()
        let error = await call.value
        #expect(error?.code == .clientShutDown)
        #expect(error?.outcome == .notExecuted)
        #expect(error?.address == "127.0.0.1:1")
    }

    /// subscriber:  is registered ──────────── begins to connect: error
    /// owner:                      shuts down
    @Test(.timeLimit(.minutes(5))) func `a subscription whose client was shut down before it began never connects`() async throws {
        let connection = self.redis.makeSubscriptionConnection(["c"], [], .init())
        _ = try self.redis.dependents.add { connection.close() }
        await self.redis.shutdown()
        #expect(await redisError { try await connection.open() }?.code == .clientShutDown)
        #expect(!connection.restEnded(epoch: 1) && !connection.restEnded(epoch: 2))
    }

    @Test(.timeLimit(.minutes(5))) func `whenever the client is shut down, every subscriber is told`() async throws {
        let redis = self.redis
        await withTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    let error = await redisError { _ = try await redis.subscribe(channels: ["c"]) }
                    #expect(error?.code == .clientShutDown)
                }
            }
            group.addTask { await redis.shutdown() }
        }
    }
}
