import NIOCore
import NIOPosix
import ScaleCore
import ScaleTesting
import TestServers

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A raw TCP server: records the requests that it gets and answers each with bytes that a test gives.
final class ScriptedUpstream: Sendable {
    /// A request as it came.
    struct Request: Sendable {
        let head: String
        let body: String
        /// Which of the server's connections it came on, from 0.
        let connection: Int
        /// Which request of that connection it is, from 0.
        let index: Int

        func field(_ name: String) -> String? { RawMessage.field(name, in: self.head) }
        func fields(_ name: String) -> [String] { RawMessage.fields(name, in: self.head) }
        var line: String { self.head.split(separator: "\r\n").first.map(String.init) ?? "" }
    }

    enum Action: Sendable {
        case send(String)
        case close
        /// Ends the connection so that the other side sees an error.
        case reset
    }

    typealias Script = @Sendable (Request) -> [Action]

    private struct State {
        var requests: [Request] = []
        var connections: [any Channel] = []
        /// Bytes of unfinished requests, by connection.
        var pending: [Int: Int] = [:]
        var open = 0
        /// Connections whose clients have ended their half.
        var endedInputs = 0
    }

    private let state = Locked(State())
    private let script: Script
    /// Whether requests are answered when their heads are there, without waiting for bodies.
    private let answersHeads: Bool
    private let server = Locked<(any Channel)?>(nil)

    private init(answersHeads: Bool, _ script: @escaping Script) {
        self.answersHeads = answersHeads
        self.script = script
    }

    /// - Parameter unixSocket: where to listen instead of on a TCP port.
    static func start(answersHeads: Bool = false, unixSocket: String? = nil, _ script: @escaping Script = { _ in [.send(ok("hello"))] })
        async throws
        -> ScriptedUpstream
    {
        let upstream = ScriptedUpstream(answersHeads: answersHeads, script)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(upstream)) }
            }
        let channel =
            if let unixSocket {
                try await bootstrap.bind(unixDomainSocketPath: unixSocket).get()
            } else {
                try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: "127.0.0.1", port: Self.closedPort()).get()
            }
        upstream.server.withLock { $0 = channel }
        return upstream
    }

    var port: Int { self.server.withLock { $0?.localAddress?.port ?? 0 } }
    var requests: [Request] { self.state.withLock { $0.requests } }
    var connectionCount: Int { self.state.withLock { $0.connections.count } }
    var openConnectionCount: Int { self.state.withLock { $0.open } }
    /// Bytes of bodies that have come on a connection without the request being whole.
    func pendingBytes(on connection: Int = 0) -> Int { self.state.withLock { $0.pending[connection] ?? 0 } }

    /// Stops accepting; open connections stay.
    func stopAccepting() async throws {
        try await self.server.withLock { $0 }?.close().get()
    }

    /// Sends on a connection without being asked.
    func send(_ text: String, on connection: Int = 0) async throws {
        try await self.state.withLock { $0.connections[connection] }.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func close(_ connection: Int = 0) async throws {
        try? await self.state.withLock { $0.connections[connection] }.close().get()
    }

    /// Connections whose clients have ended their half, see ``allowHalfClosure(on:)``.
    var endedInputs: Int { self.state.withLock { $0.endedInputs } }

    /// From now on the client of a connection may end its half, and the server goes on.
    func allowHalfClosure(on connection: Int = 0) async throws {
        try await self.state.withLock { $0.connections[connection] }.setOption(.allowRemoteHalfClosure, value: true).get()
    }

    /// Closes the write side of a connection only.
    func finishSending(on connection: Int = 0) async throws {
        try await self.state.withLock { $0.connections[connection] }.close(mode: .output).get()
    }

    func setReading(_ isOn: Bool, on connection: Int = 0) async throws {
        let channel = self.state.withLock { $0.connections[connection] }
        try await channel.setOption(.autoRead, value: isOn).get()
        if isOn { channel.read() }
    }

    func stop() async {
        try? await self.server.withLock { $0 }?.close().get()
        for channel in self.state.withLock({ $0.connections }) { try? await channel.close().get() }
    }

    /// A port at which nobody listens. It stays so: of the ports that the system gives by itself, which a test at the same time may get, it is none.
    static func closedPort() throws -> Int { try PrivateServer.freePort() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let upstream: ScriptedUpstream
        private var number = 0
        private var count = 0
        private var bytes = ByteBuffer()
        /// Bytes that have come since the connection was switched to another protocol: counted, not looked at. `nil` while it speaks HTTP.
        private var tunneled: Int?

        init(_ upstream: ScriptedUpstream) {
            self.upstream = upstream
        }

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            self.number = self.upstream.state.withLock { state in
                state.connections.append(channel)
                state.open += 1
                return state.connections.count - 1
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.upstream.state.withLock { $0.open -= 1 }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { self.upstream.state.withLock { $0.endedInputs += 1 } }
            context.fireUserInboundEventTriggered(event)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = self.unwrapInboundIn(data)
            if let tunneled = self.tunneled {
                self.tunneled = tunneled + buffer.readableBytes
            } else {
                self.bytes.writeBuffer(&buffer)
            }
            while self.tunneled == nil, let (head, body, length) = self.next() {
                self.bytes.moveReaderIndex(forwardBy: length)
                let request = Request(head: head, body: body, connection: self.number, index: self.count)
                self.count += 1
                self.upstream.state.withLock { $0.requests.append(request) }
                for action in self.upstream.script(request) { self.run(action, context) }
            }
            let (number, pending) = (self.number, self.bytes.readableBytes + (self.tunneled ?? 0))
            self.upstream.state.withLock { $0.pending[number] = pending }
        }

        private func next() -> (String, String, Int)? {
            // Lengths are those of the bytes: what is no UTF-8 is longer as text.
            guard let length = Self.headLength(self.bytes.readableBytesView.prefix(64 << 10)),
                let head = self.text(from: 0, length)
            else { return nil }
            if self.upstream.answersHeads { return (head, "", length) }
            // Large bodies are only counted until they are whole.
            if let bodyLength = RawMessage.field("Content-Length", in: head).flatMap({ Int($0) }) {
                guard self.bytes.readableBytes >= length + bodyLength else { return nil }
                return (head, self.text(from: length, bodyLength) ?? "", length + bodyLength)
            }
            guard RawMessage.field("Transfer-Encoding", in: head) != nil else { return (head, "", length) }
            guard let rest = self.text(from: length, self.bytes.readableBytes - length), rest.hasSuffix("0\r\n\r\n") else { return nil }
            return (head, rest, self.bytes.readableBytes)
        }

        private func text(from offset: Int, _ length: Int) -> String? {
            self.bytes.getString(at: self.bytes.readerIndex + offset, length: length)
        }

        private static func headLength(_ bytes: ByteBufferView) -> Int? {
            var matched = 0
            let end: [UInt8] = [13, 10, 13, 10]
            for (offset, byte) in bytes.enumerated() {
                matched = byte == end[matched] ? matched + 1 : byte == end[0] ? 1 : 0
                if matched == end.count { return offset + 1 }
            }
            return nil
        }

        private func run(_ action: Action, _ context: ChannelHandlerContext) {
            switch action {
            case .send(let text):
                if text.hasPrefix("HTTP/1.1 101 ") { self.tunneled = 0 }
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .close: context.close(promise: nil)
            case .reset:
                _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                context.close(promise: nil)
            }
        }
    }
}

/// A response of known length.
func ok(_ body: String, _ lines: String...) -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
}
