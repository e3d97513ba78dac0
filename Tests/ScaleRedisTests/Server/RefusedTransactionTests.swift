import ScaleTesting
import TestServers
import Testing

@testable import ScaleRedis

/// A server that takes no `MULTI` takes the commands singly: the error must not say that nothing was done.
@Suite struct RefusedTransactionTests {
    @Test(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
    func `after a refused MULTI the commands may have been executed, and the error says so`() async throws {
        let server = try await PrivateRedis.running("--user", "app", "on", ">pw", "~*", "+@all", "-multi")
        let redis = try RedisClient("redis://app:pw@127.0.0.1:\(server.port)", configuration: .test())
        let commands = [RedisCommand("INCR", ["counter"])]
        let error = await redisError { _ = try await redis.transaction(commands) }
        #expect(error?.command == "MULTI")
        #expect(error?.serverError?.kind == "NOPERM")
        #expect(error?.outcome == .unknown)
        #expect(try await redis.get("counter") == bytes("1"))
        let own = await redisError { try await redis.withConnection { _ = try await $0.transaction(commands) } }
        #expect(own?.command == "MULTI")
        #expect(own?.outcome == .unknown)
    }

    @Test(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
    func `when the server refuses MULTI and everything after it, nothing was executed`() async throws {
        let server = try await PrivateRedis.running("--user", "app", "on", ">pw", "~*", "+@all", "-multi", "-incr")
        let redis = try RedisClient("redis://app:pw@127.0.0.1:\(server.port)", configuration: .test())
        let error = await redisError { _ = try await redis.transaction([RedisCommand("INCR", ["counter"])]) }
        #expect(error?.command == "MULTI")
        #expect(error?.outcome == .notExecuted)
        #expect(try await redis.get("counter") == nil)
    }

    /// The replies to `MULTI`, `EVAL`, `SET` and `EXEC`; the command whose refusal is thrown, and what is known then.
    @Test(arguments: [
        (["-NOPERM", "-NOPERM", "-NOPERM", "-ERR EXEC without MULTI"], "MULTI", RedisError.Outcome.notExecuted),
        (["-NOPERM", "-NOPERM", "+OK", "-ERR EXEC without MULTI"], "MULTI", .unknown),
        (["-NOPERM", "-ERR half of a script", "-NOPERM", "-ERR EXEC without MULTI"], "MULTI", .unknown),
        (["-ERR MULTI calls can not be nested", "-NOPERM", "-NOPERM", "+OK"], "MULTI", .unknown),
        (["+OK", "-ERR wrong number", "+QUEUED", "-EXECABORT"], "EVAL", .notExecuted),
        (["+OK", "+QUEUED", "-ERR wrong number", "-EXECABORT"], "SET", .notExecuted),
        (["+OK", "+QUEUED", "-ERR wrong number", "+OK"], "SET", .unknown),
        (["+OK", "+QUEUED", "+QUEUED", "-EXECABORT"], "EXEC", .notExecuted),
    ])
    func `the replies together tell whether something may have been executed`(
        replies: [String], command: String, outcome: RedisError.Outcome
    ) {
        let values = replies.map { text in
            text.hasPrefix("-") ? RedisValue.error(RedisServerError(String(text.dropFirst()))) : .status(String(text.dropFirst()))
        }
        let error = #expect(throws: RedisError.self) {
            _ = try Transaction.results(of: .array(values), commands: [RedisCommand("EVAL"), RedisCommand("SET")], address: "host:1")
        }
        #expect(error?.command == command)
        #expect(error?.outcome == outcome)
        #expect(error?.address == "host:1")
    }
}
