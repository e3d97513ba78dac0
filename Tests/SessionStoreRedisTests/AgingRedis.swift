import Foundation
import ScaleCore
import ScaleRedis
import SessionStore
import SessionStoreRedis
import TestServers

/// Sessions on a real server under a prefix of their own, which a test can make older: the entries' times and time to live are moved back,
/// which is what the passing of time does to them.
struct AgingRedis: Sendable {
    let redis: RedisClient
    let prefix = "scalekit-test-session-\(UUID().uuidString):"

    init(_ url: String) throws {
        self.redis = try RedisClient(url, configuration: .patient)
    }

    var storage: RedisSessionStorage { RedisSessionStorage(self.redis, prefix: self.prefix) }

    func name(_ key: SessionKey) -> String { self.prefix + key.hexadecimal }

    func send(_ name: String, _ arguments: RedisArgument...) async throws -> RedisValue {
        try await self.redis.send(RedisCommand(name, arguments))
    }

    /// The names of all entries.
    func names() async throws -> [String] {
        try await self.send("KEYS", RedisArgument(self.prefix + "*")).array?.compactMap(\.string) ?? []
    }

    func age(by duration: Duration) async throws {
        _ = try await self.redis.evaluate(
            Self.aging, keys: try await self.names(), arguments: [RedisArgument(duration.wholeMillisecondsRoundedUp)])
    }

    private static let aging = RedisScript(
        """
        for _, key in ipairs(KEYS) do
            local left = redis.call('PTTL', key) - ARGV[1]
            if left <= 0 then
                redis.call('DEL', key)
            else
                redis.call('HINCRBY', key, 'c', -ARGV[1])
                redis.call('HINCRBY', key, 'u', -ARGV[1])
                redis.call('PEXPIRE', key, string.format('%.0f', left))
            end
        end
        """)
}
