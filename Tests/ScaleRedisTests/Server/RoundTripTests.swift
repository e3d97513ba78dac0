import ScaleRedis
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RoundTripTests {
    let redis: RedisClient
    let prefix = "roundtrip:\(UInt64.random(in: 0 ... .max)):"

    init() throws {
        self.redis = try RedisClient(sharedURL, configuration: .test())
    }

    @Test func `a value comes back as it was stored`() async throws {
        let key = self.prefix + "value"
        #expect(try await self.redis.get(key) == nil)
        #expect(try await self.redis.set(key, .init([0, 13, 10, 255]), expiresIn: .seconds(600)))
        #expect(try await self.redis.get(key) == [0, 13, 10, 255])
        #expect(try await self.redis.del(key) == 1)
    }

    @Test func `many callers at once each get their own reply`() async throws {
        let prefix = self.prefix
        let redis = self.redis
        try await withThrowingTaskGroup { group in
            for index in 0..<500 {
                group.addTask {
                    let text = "\(prefix)\(index)"
                    let reply = try await redis.send(RedisCommand("ECHO", [.init(text)]))
                    #expect(reply.string == text)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `an error reply is thrown and the next command succeeds`() async throws {
        let key = self.prefix + "text"
        try await self.redis.set(key, "no number", expiresIn: .seconds(600))
        await #expect(throws: RedisError.self) { try await self.redis.incr(key) }
        #expect(try await self.redis.get(key) == Array("no number".utf8))
    }

    @Test func `an error in a pipeline does not shift the other replies`() async throws {
        let key = self.prefix + "pipeline"
        let replies = try await self.redis.pipeline([
            RedisCommand("SET", [.init(key), "text", "EX", 600]), RedisCommand("INCR", [.init(key)]), RedisCommand("GET", [.init(key)]),
        ])
        #expect(replies.count == 3)
        #expect(try replies[0].get() == .status("OK"))
        #expect(throws: RedisError.self) { try replies[1].get() }
        #expect(try replies[2].get() == .bulk(Array("text".utf8)))
    }

    @Test func `a script is loaded when the server does not know it`() async throws {
        let script = RedisScript("return {KEYS[1], ARGV[1], '\(self.prefix)'}")
        for _ in 0..<2 {
            let reply = try await self.redis.evaluate(script, keys: ["key"], arguments: ["argument"])
            #expect(reply.array?.compactMap(\.string) == ["key", "argument", self.prefix])
        }
    }
}
