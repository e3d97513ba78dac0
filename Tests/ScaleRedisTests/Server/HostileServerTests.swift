import Logging
import NIOCore
import NIOPosix
import ScaleCore
import ScaleRedis
import ScaleTesting
import Testing

/// A server that answers every read with the next of its scripted bytes, once the greeting has been answered properly.
final class ScriptedServer: Sendable {
    private let channel: any Channel

    /// Every connection gets the same answers.
    convenience init(_ answers: [String]) async throws {
        try await self.init(first: answers, later: answers)
    }

    /// The first connection gets other answers than those after it.
    init(first: [String], later: [String]) async throws {
        let connections = Locked(0)
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                let isFirst = connections.withLock { count in
                    count += 1
                    return count == 1
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(isFirst ? first : later))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var url: String { "redis://127.0.0.1:\(self.channel.localAddress?.port ?? 0)" }

    func close() async throws {
        try await self.channel.close().get()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private var answers: [String]

        init(_ answers: [String]) {
            self.answers = ["+OK\r\n+PONG\r\n"] + answers
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !self.answers.isEmpty else { return }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.answers.removeFirst())), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

@Suite struct HostileServerTests {
    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "unknown type"),
        ("$536870912\r\n", "bulk string of 536870912 bytes"),
        ("*2147483647\r\n", "array of 2147483647 elements"),
        ("+" + String(repeating: "x", count: 70_000), "line over the limit"),
        (String(repeating: "*1\r\n", count: 9), "nested"),
        (":12345678901234567890\r\n", "malformed integer"),
        ("$3\r\nabcd\r\n", "does not end in CR LF"),
        (">2\r\n+message\r\n+x\r\n", "unknown type"),
    ])
    func `malformed bytes are a typed error, and the next command on a fresh connection succeeds`(
        answer: String, part: String
    ) async throws {
        let server = try await ScriptedServer(first: [answer], later: ["$2\r\nok\r\n"])
        let redis = try RedisClient(server.url, configuration: .test())
        let error = await redisError { _ = try await redis.get("key") }
        #expect(error?.code == .protocolViolation)
        #expect(error?.outcome == .unknown)
        #expect(error?.message.contains(part) == true)
        #expect(try await redis.get("key") == bytes("ok"))
        await redis.shutdown()
        try await server.close()
    }

    @Test func `a fresh connection works after a violation`() async throws {
        // Every connection of this server answers once properly; a second command on it is answered with garbage.
        let server = try await ScriptedServer(["$2\r\nok\r\n", "garbage"])
        let redis = try RedisClient(server.url, configuration: .test())
        #expect(try await redis.get("key") == bytes("ok"))
        #expect(await redisError { _ = try await redis.get("key") }?.code == .protocolViolation)
        #expect(try await redis.get("key") == bytes("ok"))
        await redis.shutdown()
        try await server.close()
    }

    @Test func `neither error nor log line shows what a broken reply held`() async throws {
        let lines = RecordingLogHandler.Lines()
        for answer in ["s3cret\r\n", "$6\r\ns3cretX\r\n", "+s3cret\n", "*2\r\n$6\r\ns3cret\r\n?", ":s3cret\r\n"] {
            let server = try await ScriptedServer(first: [answer], later: ["$2\r\nok\r\n"])
            let redis = try RedisClient(
                server.url, configuration: .test { $0.logger = Logger(label: "test", factory: { _ in RecordingLogHandler(lines: lines) }) })
            let error = await redisError { _ = try await redis.get("key-name") }
            #expect(error?.code == .protocolViolation)
            #expect(!"\(error!)".contains("s3cret"))
            #expect(!"\(error!)".contains("key-name"))
            #expect(try await redis.get("key-name") == bytes("ok"))
            await redis.shutdown()
            try await server.close()
        }
        let all = lines.all.joined(separator: "\n")
        #expect(all.contains("connection lost"))
        for secret in ["s3cret", "key-name"] { #expect(!all.contains(secret)) }
    }

    @Test func `more replies than commands cost the connection and reach nobody`() async throws {
        let server = try await ScriptedServer(["$4\r\nmine\r\n$6\r\nnobody\r\n", "$3\r\nbad\r\n"])
        let redis = try RedisClient(server.url, configuration: .test())
        #expect(try await redis.get("key") == bytes("mine"))
        #expect(try await redis.get("key") == bytes("mine"))
        await redis.shutdown()
        try await server.close()
    }

    @Test func `a reply of the wrong type is a typed error that does not show it`() async throws {
        let server = try await ScriptedServer(["$6\r\nsecret\r\n", "*1\r\n:1\r\n", "+fine\r\n"])
        let redis = try RedisClient(server.url, configuration: .test())
        let first = await redisError { _ = try await redis.incr("key") }
        #expect(first?.code == .unexpectedReply)
        #expect(!"\(first!)".contains("secret"))
        #expect(await redisError { _ = try await redis.zrange("key") }?.code == .unexpectedReply)
        #expect(try await redis.send(RedisCommand("ECHO", ["x"])) == .status("fine"))
        await redis.shutdown()
        try await server.close()
    }
}
