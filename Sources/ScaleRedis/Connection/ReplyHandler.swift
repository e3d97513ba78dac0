import NIOCore
import ScaleCore

/// Who gets what a channel has to say. All of it is called on the event loop.
protocol ReplyReceiver: AnyObject, Sendable {
    func channelActive(_ channel: any Channel, epoch: UInt64)
    func received(_ replies: [RedisValue], epoch: UInt64)
    func writabilityChanged(_ isWritable: Bool, epoch: UInt64)
    func channelFailed(_ error: RedisError, epoch: UInt64)
}

/// The channel's end of a connection: bytes in, replies out to the connection of one epoch. Holds no rule.
final class ReplyHandler<Receiver: ReplyReceiver>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let receiver: Receiver
    private let epoch: UInt64
    private let reader: ReplyReader
    private var replies: [RedisValue] = []

    init(receiver: Receiver, epoch: UInt64, limits: RedisReplyLimits) {
        self.receiver = receiver
        self.epoch = epoch
        self.reader = ReplyReader(limits: limits)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.receiver.channelActive(context.channel, epoch: self.epoch)
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
            self.receiver.received(self.replies, epoch: self.epoch)
            self.replies.removeAll(keepingCapacity: true)
        }
        guard let fault else { return }
        self.receiver.channelFailed(
            RedisError(code: .protocolViolation, message: "the server sent \(fault)"), epoch: self.epoch)
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.receiver.writabilityChanged(context.channel.isWritable, epoch: self.epoch)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.receiver.channelFailed(
            RedisError(code: .connectionLost, message: "the server closed the connection"), epoch: self.epoch)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.receiver.channelFailed(
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
