import ScaleRedis

extension RedisFacts {
    /// What the server says of itself; nil when it says nothing. Each question may be refused: a user may lack the right, and providers
    /// take `CONFIG` away.
    static func ask(_ redis: RedisClient, uses: Set<Use>) async -> RedisFacts? {
        // Without an answer to this there will be none to the others, and each would take its time.
        guard (try? await redis.ping()) != nil else { return nil }
        async let info = Self.info(redis)
        var settings: [String: String] = [:]
        // One by one: several at a time are of Redis 7, and all together hold passwords.
        for name in ["appendonly", "save", "maxmemory", "maxmemory-policy"] {
            guard let value = await Self.setting(name, of: redis) else { break }
            settings[name] = value
        }
        return RedisFacts(address: redis.address, uses: uses, settings: settings, info: await info)
    }

    private static func setting(_ name: String, of redis: RedisClient) async -> String? {
        let reply = try? await redis.send(RedisCommand("CONFIG", ["GET", RedisArgument(name)]))
        guard let pair = reply?.array, pair.count == 2, pair[0].string == name else { return nil }
        return pair[1].string
    }

    private static func info(_ redis: RedisClient) async -> [String: String] {
        (try? await redis.info()) ?? [:]
    }
}
