import ScaleRedis
import TestServers
import Testing

/// What a real server quotes of a command shows nowhere in an error.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct ErrorSecrecyTests {
    @Test func `no error reply shows an argument, and its kind is kept`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        try await redis.set("text", "x")
        let commands: [(RedisCommand, kind: String)] = [
            (RedisCommand("ACL", ["SETUSER", "u", "<s3cret"]), "ERR"),
            (RedisCommand("ACL", ["SETUSER", "u", "s3'c\"r`et"]), "ERR"),
            (RedisCommand("CLIENT", ["s3cret"]), "ERR"),
            (RedisCommand("CONFIG", ["SET", "s3cret", "1"]), "ERR"),
            (RedisCommand("CONFIG", ["SET", "maxmemory", "s3cret"]), "ERR"),
            (RedisCommand("SETT", ["key", "s3cret"]), "ERR"),
            (RedisCommand("XREADGROUP", ["GROUP", "s3cret", "c", "STREAMS", "s3cret", ">"]), "NOGROUP"),
            (RedisCommand("EVALSHA", ["s3cret", 0]), "NOSCRIPT"),
            (RedisCommand("LPUSH", ["text", "s3cret"]), "WRONGTYPE"),
        ]
        for (command, kind) in commands {
            let error = await redisError { _ = try await redis.send(command) }
            #expect(error?.serverError?.kind == kind[...], "\(command.name)")
            let text = "\(error!) \(error!.message) \(error!.serverError!) \(String(reflecting: error!))"
            for secret in ["s3cret", "s3'c", "r`et"] { #expect(!text.contains(secret), "\(text)") }
        }
    }
}
