import NIOCore
import NIOSSL
import NIOTLS
import ScaleCore

/// The first handler of a connection on which TLS is spoken: looks at what the client begins with, and puts TLS in its own place.
///
/// Who speaks plain HTTP is told so, in plain HTTP, as nginx does. The certificate is chosen by the name that the client asks for.
final class TLSDoor: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Tells the connection's handler that the bytes are no TLS.
    struct PlainTextCame: Sendable {}

    /// The first byte of a record that holds a handshake (RFC 8446 §5.1).
    private static let handshakeRecord: UInt8 = 22
    /// A fatal alert, `unrecognized_name` (RFC 6066 §3).
    private static let unrecognizedName: [UInt8] = [21, 3, 3, 0, 2, 2, 112]

    private let store: CertificateStore
    private let connection: ClientConnection

    init(_ store: CertificateStore, before connection: ClientConnection) {
        self.store = store
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        guard let first = buffer.readableBytesView.first else { return }
        let pipeline = context.pipeline.syncOperations
        guard first == Self.handshakeRecord else {
            context.fireUserInboundEventTriggered(PlainTextCame())
            return pipeline.removeHandler(context: context, promise: nil)
        }
        do {
            try self.open(context, pipeline)
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
        pipeline.removeHandler(context: context, promise: nil)
    }

    private func open(_ context: ChannelHandlerContext, _ pipeline: ChannelPipeline.SynchronousOperations) throws {
        guard !self.store.isAlone else {
            guard let tls = self.store.context(for: nil) else { throw ChannelError.inappropriateOperationForState }
            return try pipeline.addHandler(NIOSSLServerHandler(context: tls), position: .after(self))
        }
        let (store, connection, channel) = (self.store, self.connection, context.channel)
        let bound = NIOLoopBound(connection, eventLoop: context.eventLoop)
        let choice = SNIHandler { result in
            let name: String? =
                switch result {
                case .hostname(let name): name
                case .fallback: nil
                }
            return channel.eventLoop.makeCompletedFuture {
                guard let tls = store.context(for: name) else {
                    bound.value.worker.log.handshakeFailed("no certificate for the name", client: bound.value.address)
                    channel.writeAndFlush(ByteBuffer(bytes: Self.unrecognizedName), promise: nil)
                    channel.close(promise: nil)
                    // Not let through: behind this handler nobody is left who would understand what the client says.
                    throw ChannelError.inappropriateOperationForState
                }
                try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls), position: .before(bound.value))
            }
        }
        try pipeline.addHandler(ByteToMessageHandler(choice), position: .after(self))
    }
}
