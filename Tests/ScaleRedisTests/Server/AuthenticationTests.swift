import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct AuthenticationTests {
    @Test func `a wrong password is a clear error at once, without the password, and is not tried for ever`() async throws {
        let server = try await PrivateRedis.running("--requirepass", "right")
        // Its time stands still: the server is left alone for as long as this test runs.
        let time = ManualTime()
        let redis = try RedisClient(
            "redis://:wr0ng-secret@127.0.0.1:\(server.port)", configuration: .test { $0.time = time.source })
        for _ in 0..<20 {
            let error = await redisError { try await redis.ping() }
            #expect(error?.code == .authenticationFailed)
            #expect(error?.outcome == .notExecuted)
            #expect(error?.serverError?.kind == "WRONGPASS")
            #expect(!"\(error!)".contains("wr0ng-secret"))
        }
        let admin = try RedisClient("redis://:right@127.0.0.1:\(server.port)", configuration: .test())
        let stats = try await admin.info(section: "commandstats")
        #expect(stats["cmdstat_auth"]?.hasPrefix("calls=2,") == true)
    }

    @Test func `a missing password is the same`() async throws {
        let server = try await PrivateRedis.running("--requirepass", "right")
        let redis = try RedisClient(server.url, configuration: .test())
        #expect(await redisError { try await redis.ping() }?.code == .authenticationFailed)
    }

    @Test func `a password in the configuration serves a URL without one`() async throws {
        let server = try await PrivateRedis.running("--requirepass", "right")
        let redis = try RedisClient(server.url, configuration: .test { $0.password = Secret("right") })
        try await redis.ping()
    }

    @Test func `the URL's user signs in with the password of the configuration`() async throws {
        let server = try await PrivateRedis.running("--user", "bob", "on", ">pw", "~*", "+@all")
        let redis = try RedisClient("redis://bob@127.0.0.1:\(server.port)", configuration: .test { $0.password = Secret("pw") })
        #expect(try await redis.send(RedisCommand("ACL", ["WHOAMI"])).string == "bob")
    }

    @Test func `credentials that are corrected on the server work without a new client`() async throws {
        let server = try await PrivateRedis.running("--requirepass", "old")
        let time = ManualTime()
        let redis = try RedisClient("redis://:new@127.0.0.1:\(server.port)", configuration: .test { $0.time = time.source })
        #expect(await redisError { try await redis.ping() }?.code == .authenticationFailed)
        let admin = try RedisClient("redis://:old@127.0.0.1:\(server.port)", configuration: .test())
        _ = try await admin.send(RedisCommand("CONFIG", ["SET", "requirepass", "new"]))
        #expect(await redisError { try await redis.ping() }?.code == .authenticationFailed)
        await time.advance(by: .seconds(5))
        try await redis.ping()
    }

    @Test func `a database that does not exist is a typed error in time`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient("redis://127.0.0.1:\(server.port)/999", configuration: .test { $0.time = time.source })
        let error = try await redis.error(expiring: time, when: { $0.lastFailure != nil }) { try await $0.ping() }
        #expect(error?.code == .connectionFailed)
        #expect(error?.message.contains("database") == true)
    }

    @Test func `a user who may do little can do that little`() async throws {
        let server = try await PrivateRedis.running("--user", "reader", "on", ">pw", "~*", "-@all", "+get")
        let redis = try RedisClient("redis://reader:pw@127.0.0.1:\(server.port)", configuration: .test())
        #expect(try await redis.get("key") == nil)
        let error = await redisError { try await redis.set("key", "x") }
        #expect(error?.code == .server)
        #expect(error?.serverError?.kind == "NOPERM")
        #expect(error?.command == "SET")
        #expect(error?.outcome == .notExecuted)
        #expect(try await redis.get("key") == nil)
    }
}
