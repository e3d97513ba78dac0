import NIOCore
import ScaleCore

/// The channel's end of a connection: bytes in, replies out to the connection of one epoch. Holds no rule.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: PipelinedConnection
    private let epoch: UInt64
    private let reader: ReplyReader
    private var replies: [RedisValue] = []

    init(connection: PipelinedConnection, epoch: UInt64, limits: RedisReplyLimits) {
        self.connection = connection
        self.epoch = epoch
        self.reader = ReplyReader(limits: limits)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.connection.channelActive(context.channel, epoch: self.epoch)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        let fault: ReplyFault?
        do throws(ReplyFault) {
            try buffer.withUnsafeReadableBytesTyped { bytes throws(ReplyFault) in try self.reader.feed(bytes, into: &self.replies) }
            fault = nil
        } catch {
            fault = error
        }
        if !self.replies.isEmpty {
            self.connection.received(self.replies, epoch: self.epoch)
            self.replies.removeAll(keepingCapacity: true)
        }
        guard let fault else { return }
        self.connection.channelFailed(
            RedisError(code: .protocolViolation, message: "the server sent \(fault)"), epoch: self.epoch)
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.connection.writabilityChanged(context.channel.isWritable, epoch: self.epoch)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.connection.channelFailed(
            RedisError(code: .connectionLost, message: "the server closed the connection"), epoch: self.epoch)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.connection.channelFailed(
            RedisError(code: .connectionLost, message: ChannelConnector.describe(error)), epoch: self.epoch)
        context.close(promise: nil)
    }
}

extension ByteBuffer {
    /// `withUnsafeReadableBytes` with a typed error.
    fileprivate func withUnsafeReadableBytesTyped<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let outcome: Result<Void, Failure> = self.withUnsafeReadableBytes { bytes in
            do throws(Failure) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
