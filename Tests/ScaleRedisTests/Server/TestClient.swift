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
    /// A configuration for a test.
    static func test(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> RedisConfiguration {
        var configuration = RedisConfiguration()
        configuration.connectTimeout = .seconds(10)
        configuration.commandTimeout = .seconds(10)
        configuration.backoffBase = .milliseconds(5)
        configuration.backoffCap = .milliseconds(50)
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
    var waitingCount: Int { self.load.waiting }
    var isShuttingDown: Bool { self.load.isDraining }
}
