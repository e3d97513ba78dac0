import NIOCore
import NIOPosix

/// A server that answers each request with the bytes of its head: what a proxy in front of it has really sent.
struct EchoServer: Sendable {
    private let channel: any Channel

    var port: Int { self.channel.localAddress?.port ?? 0 }

    static func with<Result: Sendable>(_ body: (EchoServer) async throws -> Result) async throws -> Result {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EchoHandler()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(EchoServer(channel: channel)))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var head = ""

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.head += String(buffer: self.unwrapInboundIn(data))
        guard self.head.hasSuffix("\r\n\r\n") else { return }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(self.head.utf8.count)\r\n\r\n\(self.head)"
        self.head = ""
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }
}
