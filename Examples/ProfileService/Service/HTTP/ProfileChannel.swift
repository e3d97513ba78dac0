import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The server's channel for HTTP/1, with what it makes no difference of: the versions of the protocol.
struct ProfileChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let http1: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        self.http1.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            // The codec drops the version, so that is the last place where it is known.
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(VersionRules(), position: .before(codec))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await self.http1.handle(value: value, logger: logger)
    }
}

/// Spells out in a request's head what follows from its version (RFC 9112 §3.2 and §9.3), in the words of HTTP/1.1.
///
/// A connection of HTTP/1.0 closes after the answer unless its client asks to keep it, and a request of it needs no Host.
///
/// An answer to HTTP/1.0 whose length nobody knows ends with its connection, since chunks are of HTTP/1.1 (RFC 9112 §6.1 and §6.3). So does
/// one to HEAD, to which the encoder would add a chunk.
final class VersionRules: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var version = HTTPVersion.http1_1
    private var isHead = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(var head):
            self.version = head.version
            self.isHead = head.method == .HEAD
            if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
            if head.version == .http1_0, !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "") }
            context.fireChannelRead(self.wrapInboundOut(.head(head)))
        case .body, .end:
            context.fireChannelRead(data)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = self.unwrapOutboundIn(data), self.version == .http1_0 || self.isHead, head.status.mayHaveResponseBody,
            !head.headers.contains(name: "Content-Length")
        else { return context.write(data, promise: promise) }
        head.version = .http1_0
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.write(self.wrapOutboundOut(.head(head)), promise: promise)
    }
}
