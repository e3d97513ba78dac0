import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct PubSubTests {
    @Test func `messages of channels and patterns come in order`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let subscription = try await redis.subscribe(channels: ["news", "news"], patterns: ["new*"])
        for number in 0..<3 { #expect(try await redis.publish(.init(number), to: "news") == 2) }
        try await redis.publish(.init([0, 255]), to: "newer")
        var received: [RedisMessage] = []
        for try await message in subscription {
            received.append(message)
            if received.count == 7 { break }
        }
        #expect(received.filter { $0.pattern == nil }.map(\.payload) == ["0", "1", "2"].map(bytes))
        #expect(received.filter { $0.pattern == "new*" }.map(\.payload) == ["0", "1", "2"].map(bytes) + [[0, 255]])
        #expect(received.last?.channel == "newer")
    }

    @Test func `channels and patterns whose names only look alike are two`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let names = ["caf\u{E9}", "cafe\u{301}"]
        let subscription = try await redis.subscribe(channels: names + names, patterns: names.map { $0 + "*" })
        for name in names { #expect(try await redis.publish("m", to: name) == 2) }
        var received: [RedisMessage] = []
        for try await message in subscription {
            received.append(message)
            if received.count == 4 { break }
        }
        #expect(received.map { Array($0.channel.utf8) } == [names[0], names[0], names[1], names[1]].map { Array($0.utf8) })
    }

    @Test func `channels come and go on one connection`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let subscription = try await redis.subscribe(channels: ["a"])
        var events = subscription.events.makeAsyncIterator()
        subscription.subscribe(to: "b")
        #expect(try await events.next() == .subscribed("b"))
        #expect(try await redis.publish("1", to: "b") == 1)
        #expect(try await events.next() == .message(RedisMessage(channel: "b", payload: bytes("1"))))
        subscription.unsubscribe(from: "a")
        subscription.unsubscribe(from: "b")
        // Asked, not tried: what is published until then would still come.
        let nobody = RedisValue.array([.bulk(bytes("a")), .integer(0), .bulk(bytes("b")), .integer(0)])
        try await eventually("nobody listens") { try await redis.send(RedisCommand("PUBSUB", ["NUMSUB", "a", "b"])) == nobody }
        try await server.killAndRestart()
        #expect(try await events.next() == .interrupted)
        #expect(try await events.next() == .resumed)
        subscription.subscribe(to: "c")
        #expect(try await events.next() == .subscribed("c"))
        #expect(try await RedisClient(server.url, configuration: .test()).publish("3", to: "c") == 1)
    }

    @Test func `a subscription comes back after the server was killed, and says that it was away`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let subscription = try await redis.subscribe(channels: ["c"], patterns: ["p*"])
        try await redis.publish("before", to: "c")
        var events = subscription.events.makeAsyncIterator()
        #expect(try await events.next() == .message(RedisMessage(channel: "c", payload: bytes("before"))))
        try await server.killAndRestart()
        #expect(try await events.next() == .interrupted)
        #expect(try await events.next() == .resumed)
        let publisher = try RedisClient(server.url, configuration: .test())
        #expect(try await publisher.publish("after", to: "c") == 1)
        #expect(try await publisher.publish("pattern", to: "pp") == 1)
        #expect(try await events.next() == .message(RedisMessage(channel: "c", payload: bytes("after"))))
        #expect(try await events.next() == .message(RedisMessage(channel: "pp", pattern: "p*", payload: bytes("pattern"))))
    }

    @Test func `a link that is dead without a word is noticed and made again`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient(server.url, configuration: .test { $0.time = time.source })
        let subscription = try await redis.subscribe(channels: ["c"])
        var events = subscription.events.makeAsyncIterator()
        server.freeze()
        // One time-out of silence, then one without an answer to the ping; each is found by the next tick.
        let watch = Task {
            while !Task.isCancelled {
                await time.advance(by: RedisConfiguration.testTimeout / 10)
                try await TimeSource.system.sleep(for: .milliseconds(20))
            }
        }
        #expect(try await events.next() == .interrupted)
        watch.cancel()
        server.thaw()
        #expect(try await events.next() == .resumed)
    }

    @Test func `an idle subscription is kept alive by pings`() async throws {
        let server = try await PrivateRedis.running()
        let time = ManualTime()
        let redis = try RedisClient(server.url, configuration: .test { $0.time = time.source })
        let subscription = try await redis.subscribe(channels: ["c"])
        await time.advance(by: RedisConfiguration.testTimeout)
        let watcher = try RedisClient(server.url, configuration: .test())
        try await eventually("the server has seen pings") {
            try await watcher.send(RedisCommand("CLIENT", ["LIST", "TYPE", "pubsub"])).string?.contains("cmd=ping") == true
        }
        try await watcher.publish("still here", to: "c")
        var events = subscription.events.makeAsyncIterator()
        #expect(try await events.next() == .message(RedisMessage(channel: "c", payload: bytes("still here"))))
    }

    @Test func `it ends with close, with the client, and with its last reference`() async throws {
        let server = try await PrivateRedis.running()
        let watcher = try RedisClient(server.url, configuration: .test())
        let redis = try RedisClient(server.url, configuration: .test())
        func subscribers() async throws -> Int64? {
            try await watcher.send(RedisCommand("PUBSUB", ["NUMSUB", "c"])).array?.last?.integer
        }
        let first = try await redis.subscribe(channels: ["c"])
        try await watcher.publish("buffered", to: "c")
        var iterator = first.makeAsyncIterator()
        #expect(try await iterator.next()?.payload == bytes("buffered"))
        first.close()
        #expect(try await iterator.next() == nil)
        do {
            let dropped = try await redis.subscribe(channels: ["c"])
            #expect(try await subscribers() ?? 0 >= 1)
            withExtendedLifetime(dropped) {}
        }
        try await eventually("nobody is subscribed") { try await subscribers() == 0 }
        let last = try await redis.subscribe(channels: ["c"])
        await redis.shutdown()
        for try await _ in last { Issue.record("a message came") }
        #expect(await redisError { _ = try await redis.subscribe(channels: ["c"]) }?.code == .clientShutDown)
    }

    @Test func `a waiting consumer is cancelled at once`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let subscription = try await redis.subscribe(channels: ["c"])
        let task = Task {
            for try await _ in subscription {}
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `without a server there is a typed error in time, and none without channels`() async throws {
        let server = try PrivateRedis.stopped()
        let redis = try RedisClient(server.url, configuration: .test { $0.connectTimeout = .milliseconds(100) })
        let error = await redisError { _ = try await redis.subscribe(channels: ["c"]) }
        #expect(error?.code == .connectionFailed)
        #expect(error?.outcome == .notExecuted)
        #expect(await redisError { _ = try await redis.subscribe() }?.code == .invalidCommand)
    }

    @Test func `an ACL that forbids the channel is an error`() async throws {
        let server = try await PrivateRedis.running("--user", "app", "on", ">pw", "~*", "+@all", "resetchannels", "&mine")
        let redis = try RedisClient("redis://app:pw@127.0.0.1:\(server.port)", configuration: .test())
        #expect(await redisError { _ = try await redis.subscribe(channels: ["theirs"]) }?.serverError?.kind == "NOPERM")
        _ = try await redis.subscribe(channels: ["mine"])
    }
}
