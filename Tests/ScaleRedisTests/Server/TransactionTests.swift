import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct TransactionTests {
    let redis: RedisClient
    let key = TestKeys()

    init() throws {
        self.redis = try RedisClient(sharedURL, configuration: .test())
    }

    @Test func `commands run as one, and one that fails does not stop the others`() async throws {
        let name = self.key("t")
        let results = try await self.redis.transaction([
            RedisCommand("SET", [.init(name), "text", "EX", 600]), RedisCommand("INCR", [.init(name)]), RedisCommand("GET", [.init(name)]),
        ])
        #expect(try results[0].get() == .status("OK"))
        #expect(throws: RedisError.self) { try results[1].get() }
        #expect(try results[2].get() == .bulk(bytes("text")))
        #expect(try await self.redis.transaction([]).isEmpty)
    }

    @Test func `a command that the server refuses beforehand stops all, and its own error says why`() async throws {
        let name = self.key("refused")
        let error = await redisError {
            _ = try await self.redis.transaction([RedisCommand("SET", [.init(name), "x"]), RedisCommand("NOSUCH"), RedisCommand("GET")])
        }
        #expect(error?.command == "NOSUCH")
        #expect(error?.serverError?.message.contains("unknown command") == true)
        #expect(try await self.redis.get(name) == nil)
    }

    @Test func `transactions and other callers on one connection do not mix`() async throws {
        let name = self.key("counter")
        let redis = self.redis
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    let results = try await redis.transaction([
                        RedisCommand("INCR", [.init(name)]), RedisCommand("INCR", [.init(name)]),
                    ])
                    let values = try results.map { try $0.get().integer ?? 0 }
                    #expect(values[1] == values[0] + 1)
                }
                group.addTask {
                    let reply = try await redis.send(RedisCommand("ECHO", ["mine"]))
                    #expect(reply.string == "mine")
                }
            }
            try await group.waitForAll()
        }
        #expect(try await self.redis.get(name) == bytes("100"))
        try await self.redis.unlink([name])
    }

    @Test func `a watched key that somebody changes aborts the transaction`() async throws {
        let name = self.key("watched")
        let redis = self.redis
        try await redis.withConnection { connection in
            try await connection.watch([name])
            try await redis.set(name, "theirs", expiresIn: .seconds(600))
            #expect(try await connection.transaction([RedisCommand("SET", [.init(name), "mine"])]) == nil)
            try await connection.watch([name])
            let results = try await connection.transaction([RedisCommand("SET", [.init(name), "mine", "EX", 600])])
            #expect(try results?.first?.get() == .status("OK"))
        }
        #expect(try await redis.get(name) == bytes("mine"))
    }

    @Test func `an unwatched key aborts nothing`() async throws {
        let name = self.key("unwatched")
        let redis = self.redis
        try await redis.withConnection { connection in
            try await connection.watch([name])
            try await connection.unwatch()
            try await redis.set(name, "theirs", expiresIn: .seconds(600))
            #expect(try await connection.transaction([RedisCommand("GET", [.init(name)])]) != nil)
        }
    }

    @Test func `a lost update cannot happen under WATCH`() async throws {
        let name = self.key("balance")
        let redis = self.redis
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    try await redis.withConnection { connection in
                        var left = 10
                        while left > 0 {
                            try await connection.watch([name])
                            let value = Int(String(decoding: try await connection.get(name) ?? [48], as: UTF8.self)) ?? 0
                            if try await connection.transaction([RedisCommand("SET", [.init(name), .init(value + 1)])]) != nil {
                                left -= 1
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await redis.get(name) == bytes("40"))
        try await redis.unlink([name])
    }

    @Test func `a connection of one's own takes what the shared one refuses, and is gone afterwards`() async throws {
        let name = self.key("queue")
        let redis = self.redis
        let kept = try await redis.withConnection { connection in
            #expect(try await connection.blockingPop([name], timeout: .milliseconds(10)) == nil)
            async let popped = connection.blockingPop([name], timeout: .seconds(30))
            try await redis.rpush(name, ["job"])
            let element = try await popped
            #expect(element?.key == bytes(name))
            #expect(element?.element == bytes("job"))
            try await redis.rpush(name, ["next"])
            #expect(try await connection.blmove(from: name, .left, to: name, .left, timeout: .seconds(30)) == bytes("next"))
            return connection
        }
        #expect(await redisError { try await kept.ping() }?.outcome == .notExecuted)
        try await redis.unlink([name])
    }

    @Test func `the server's state of one connection is not another's`() async throws {
        let redis = self.redis
        let name = self.key("db")
        try await redis.withConnection { connection in
            _ = try await connection.send(RedisCommand("SELECT", [5]))
            try await connection.set(name, "five", expiresIn: .seconds(600))
        }
        #expect(try await redis.get(name) == nil)
    }
}
