import ScaleCore
import ScaleTesting
import TestServers

@testable import ScaleRedis

/// Keys of one test alone, on the shared server.
struct TestKeys {
    let prefix = "scaleredis:\(UInt64.random(in: 0 ... .max)):"

    func callAsFunction(_ name: String) -> String { self.prefix + name }
}

/// The shared server's URL; tests that use it are disabled without one.
var sharedURL: String { TestServers.redis ?? "redis://127.0.0.1:1/" }

extension RedisConfiguration {
    /// The time-outs of ``test(_:)``: longer than a busy machine takes for any answer. Who waits for one lets a ``ManualTime`` pass.
    static let testTimeout = Duration.seconds(60)

    /// A configuration for a test.
    static func test(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> RedisConfiguration {
        var configuration = RedisConfiguration()
        configuration.connectTimeout = Self.testTimeout
        configuration.commandTimeout = Self.testTimeout
        configuration.backoff = RetryPolicy(baseDelay: .milliseconds(5), maximumDelay: .milliseconds(50), maximumAttempts: nil)
        change(&configuration)
        return configuration
    }
}

/// The `RedisError` that `body` throws, nil when it throws something else or nothing.
func redisError(_ body: () async throws -> Void) async -> RedisError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RedisError
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension RedisClient {
    private var load: PipelinedConnection.Load { self.route.connection(forKey: nil).load }

    var inFlightCount: Int { self.load.inFlight }
    /// Of those in flight, how many the channel has got: only their time-outs run.
    var writtenCount: Int { self.load.written }
    var waitingCount: Int { self.load.waiting }
    var isShuttingDown: Bool { self.load.isDraining }
}

extension RedisClient {
    /// Why the last attempt to connect failed.
    var lastFailure: RedisError? { self.load.lastFailure }

    /// The error of a call whose time-out passes as soon as `condition` holds. The client's time must stand still until then, so
    /// that a busy machine changes nothing.
    func error(
        expiring time: ManualTime, when condition: @escaping @Sendable (RedisClient) -> Bool,
        _ body: @escaping @Sendable (RedisClient) async throws -> Void
    ) async throws -> RedisError? {
        let call = Task { await redisError { try await body(self) } }
        try await eventually("the time-out may pass") { condition(self) }
        await time.advance(by: RedisConfiguration.testTimeout)
        return await call.value
    }
}
