import ScaleRedis
import ScaleTesting
import TestServers
import Testing

/// A real server that is killed, restarted, frozen or not there.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct ReconnectTests {
    @Test func `a client recovers from kill -9 and restart without being made anew`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        try await redis.set("key", "before")
        for round in 0..<3 {
            try await server.killAndRestart()
            // The dead socket may be noticed only by this command; then its outcome is unknown and it is not repeated in silence.
            let error = await redisError { try await redis.set("key", .init(round)) }
            if let error { #expect(error.code == .connectionLost && error.outcome == .unknown) }
            try await eventually("the client works again") { await redisError { try await redis.ping() } == nil }
        }
    }

    @Test func `a server that is down at start is waited for`() async throws {
        let server = try PrivateRedis.stopped()
        let redis = try RedisClient(server.url, configuration: .test())
        async let pong: Void = redis.ping()
        async let value = redis.incr("counter")
        try await server.start()
        try await pong
        #expect(try await value == 1)
    }

    @Test func `without a server callers get a typed error that says where and why`() async throws {
        let server = try PrivateRedis.stopped()
        let time = ManualTime()
        let redis = try RedisClient(server.url, configuration: .test { $0.time = time.source })
        let error = try await redis.error(expiring: time, when: { $0.lastFailure != nil }) { try await $0.ping() }
        #expect(error?.code == .connectionFailed)
        #expect(error?.outcome == .notExecuted)
        #expect(error?.address == "127.0.0.1:\(server.port)")
        #expect(error?.message.contains("refused") == true)
    }

    @Test func `what is in flight when the server dies fails with an unknown outcome`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        try await redis.ping()
        server.freeze()
        let calls = (0..<20).map { number in
            Task { await redisError { _ = try await redis.incr("counter") } }
        }
        let watcher = redis
        try await eventually("they are in flight") { watcher.writtenCount == 20 }
        try await server.kill()
        for call in calls {
            let error = await call.value
            #expect(error?.code == .connectionLost)
            #expect(error?.outcome == .unknown)
        }
        try await server.start()
        #expect(try await redis.get("counter") == nil)
    }

    @Test func `a command that gets no reply in time costs the connection, and the next one gets its own reply`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient(server.url, configuration: .test { $0.time = time.source })
        try await redis.set("key", "value")
        let admin = try RedisClient(server.url, configuration: .test())
        // Writes wait until they may go on, however long the rest of the test takes.
        try await admin.send(RedisCommand("CLIENT", ["PAUSE", 600_000, "WRITE"]))
        let error = try await redis.error(expiring: time, when: { $0.writtenCount == 1 }) {
            try await $0.send(RedisCommand("GETSET", ["key", "late"]))
        }
        #expect(error?.code == .timeout)
        #expect(error?.outcome == .unknown)
        #expect(error?.command == "GETSET")
        try await admin.send(RedisCommand("CLIENT", ["UNPAUSE"]))
        let echo = try await eventually("the server answers again") { try? await redis.send(RedisCommand("ECHO", ["mine"])).string }
        #expect(echo == "mine")
    }

    @Test func `a frozen server times callers out and is used again when it thaws`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient(server.url, configuration: .test { $0.time = time.source })
        try await redis.ping()
        server.freeze()
        let written = try await redis.error(expiring: time, when: { $0.writtenCount == 1 }) { try await $0.ping() }
        #expect(written?.code == .timeout)
        let waiting = try await redis.error(expiring: time, when: { $0.waitingCount == 1 }) { try await $0.ping() }
        #expect(waiting?.code == .connectionFailed)
        server.thaw()
        try await redis.ping()
    }

    @Test func `database, name and user are set again on every connection`() async throws {
        let server = try await PrivateRedis.running("--user", "app", "on", ">pw", "~*", "&*", "+@all")
        let redis = try RedisClient(
            "redis://app:pw@127.0.0.1:\(server.port)/3", configuration: .test { $0.clientName = "the-name" })
        for round in 0..<3 {
            let info = try await eventually("connected in round \(round)") {
                try? await redis.send(RedisCommand("CLIENT", ["INFO"])).string
            }
            for part in ["name=the-name", "db=3", "user=app"] { #expect(info.contains(part)) }
            let admin = try RedisClient(server.url, configuration: .test())
            _ = try await admin.send(RedisCommand("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]))
        }
    }

    @Test func `an idle connection is closed and the next command opens another`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient(
            server.url,
            configuration: .test {
                $0.time = time.source
                $0.idleTimeout = .seconds(60)
                $0.commandTimeout = .milliseconds(50)
            })
        let watcher = try RedisClient(server.url, configuration: .test())
        func connections() async throws -> Int {
            Int(try await watcher.info(section: "clients")["connected_clients"] ?? "") ?? 0
        }
        try await redis.ping()
        #expect(try await connections() == 2)
        await time.advance(by: .seconds(60))
        try await eventually("it is closed") { try await connections() == 1 }
        try await redis.ping()
        #expect(try await connections() == 2)
    }

    @Test func `a client that goes away closes its connection`() async throws {
        let server = try await PrivateRedis.running()
        let watcher = try RedisClient(server.url, configuration: .test())
        do {
            let redis = try RedisClient(server.url, configuration: .test())
            try await redis.ping()
        }
        try await eventually("one connection is left") { try await watcher.info(section: "clients")["connected_clients"] == "1" }
    }

    @Test func `scripts survive the loss of the server's script cache`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let script = RedisScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        #expect(try await redis.evaluate(script, keys: ["n"], arguments: [5]) == .integer(5))
        _ = try await redis.send(RedisCommand("SCRIPT", ["FLUSH"]))
        #expect(try await redis.evaluate(script, keys: ["n"], arguments: [5]) == .integer(10))
        #expect(try await redis.info(section: "commandstats")["cmdstat_eval"]?.hasPrefix("calls=2,") == true)
        #expect(script.digest == "\(try await redis.send(RedisCommand("SCRIPT", ["LOAD", .init(script.source)])).string ?? "")")
        let failing = await redisError { _ = try await redis.evaluate(RedisScript("return redis.call('NOSUCH')")) }
        #expect(failing?.code == .server)
    }
}
