import CacheKit
import CacheKitRedis
import CacheKitTesting
import ScaleRedis
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisStoreConformanceTests {
    @Test func `the Redis store conforms`() async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        let namespace = "conformance-\(UInt64.random(in: .min ... .max))"
        let suite = CacheStoreConformance(namespace: namespace) {
            RedisCacheStore(redis, maximumValueSize: 100_000)
        } passTime: { duration in
            try await Self.age(namespace, by: duration, redis)
        }
        let report = try await suite.run()
        #expect(report.passed.count == suite.checks.count)
        #expect(report.skipped.isEmpty)
        await redis.shutdown()
    }

    /// Brings everything in the namespace nearer to its end, as if time had passed: nothing has to be waited for, and a machine that is
    /// busy for a second changes nothing.
    private static func age(_ namespace: String, by duration: Duration, _ redis: RedisClient) async throws {
        let names = try await redis.send(RedisCommand("KEYS", [RedisArgument(namespace + "*")])).array ?? []
        let keys = names.compactMap(\.string)
        guard !keys.isEmpty else { return }
        _ = try await redis.evaluate(self.ageing, keys: keys, arguments: [RedisArgument(Int64(duration / .milliseconds(1)))])
    }

    /// Lives, and in records lease deadline, fresh until and physical end; zero and "never" stay.
    private static let ageing = RedisScript(
        """
        local function aged(bytes)
            local first = string.byte(bytes, 1)
            if first ~= 0 or bytes == string.rep('\\0', 8) then return bytes end
            return struct.pack('>I8', struct.unpack('>I8', bytes) - ARGV[1])
        end
        for _, key in ipairs(KEYS) do
            local life = redis.call('PTTL', key)
            if life >= 0 and life <= tonumber(ARGV[1]) then
                redis.call('DEL', key)
            else
                if life >= 0 then redis.call('PEXPIRE', key, life - ARGV[1]) end
                local head = redis.call('GETRANGE', key, 0, 75)
                if #head == 76 and string.sub(head, 1, 3) == 'SK\\1' then
                    redis.call('SETRANGE', key, 36,
                        aged(string.sub(head, 37, 44)) .. aged(string.sub(head, 45, 52)) .. aged(string.sub(head, 53, 60)))
                end
            end
        end
        return 1
        """)
}
