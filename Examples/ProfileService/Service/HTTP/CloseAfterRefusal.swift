import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection after an answer that says `Connection: close`, whatever is left of the request's body.
///
/// The server would otherwise read a refused body to its end, however long. The outgoing side is closed at once, what still
/// comes in is thrown away, and the connection ends a second later: closing both sides at once would make the kernel reset the
/// connection, and the client would lose the answer (RFC 9112 §9.6).
final class CloseAfterRefusal: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        case open
        case closing
    }

    private var state = State.open
    private static let linger = TimeAmount.seconds(1)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.state {
        case .open: context.fireChannelRead(data)
        case .closing: break
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(let head) where head.headerFields[.connection] == "close":
            self.state = .closing
            context.write(data, promise: promise)
        case .head, .body:
            context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            if case .closing = self.state { self.finish(context) }
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        context.flush()
        let channel = context.channel
        channel.close(mode: .output, promise: nil)
        channel.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    }
}
