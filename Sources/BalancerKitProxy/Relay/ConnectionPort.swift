import NIOCore
import ScaleCore

/// One end of a relay: a channel that is read only while what comes has somewhere to go, whose writes gather until they are flushed, and
/// whose peer is expected to take what is written.
///
/// A ``ClientConnection`` and an ``UpstreamConnection`` have one each. They decide; this does. All of it happens on their event loop. A
/// class, since a channel may call back into its handler in the middle of a write.
final class ConnectionPort {
    private(set) var context: ChannelHandlerContext?
    /// Whether the channel takes more, by its water marks. Followed here, since asking the channel costs more than remembering.
    private(set) var isWritable = false
    /// When a peer that takes nothing of what is written is given up.
    private(set) var sendDeadline = Instant.distantFuture
    /// What was read and not used yet.
    var inbox = ByteBuffer()
    /// What is to be written next.
    var staged = ByteBuffer()
    private var isReading = true
    private var needsFlush = false
    /// What had not been taken by the kernel when the deadline was set.
    private var stalledBytes = 0

    func attach(_ context: ChannelHandlerContext) {
        self.context = context
        self.isWritable = true
    }

    /// False when there is nothing attached any more.
    func detach() -> Bool {
        guard self.context != nil else { return false }
        self.context = nil
        self.isWritable = false
        self.sendDeadline = .distantFuture
        return true
    }

    func close() {
        self.context?.close(promise: nil)
    }
}

// MARK: - Reading

extension ConnectionPort {
    /// Keeps bytes that cannot be used yet, behind those that are kept already.
    func hold(_ buffer: inout ByteBuffer) {
        if self.inbox.readableBytes == 0 {
            self.inbox = buffer
        } else {
            self.inbox.writeBuffer(&buffer)
        }
    }

    /// Back-pressure: the channel is read only while what comes has somewhere to go. True when that changes.
    ///
    /// Switched here and not by holding back each read that the channel asks for, since those would have to pass through the handler.
    @discardableResult
    func setReading(_ acceptsBytes: Bool) -> Bool {
        guard acceptsBytes != self.isReading, let context else { return false }
        self.isReading = acceptsBytes
        try? context.channel.syncOptions?.setOption(.autoRead, value: acceptsBytes)
        return true
    }
}

// MARK: - Writing

extension ConnectionPort {
    /// Puts a buffer that its owner keeps behind what is staged.
    func stage(_ buffer: ByteBuffer) {
        if self.staged.readableBytes == 0 {
            self.staged = buffer
        } else {
            self.staged.writeImmutableBuffer(buffer)
        }
    }

    /// Puts body data behind what is staged; large pieces are written without a copy. Nothing is flushed.
    func write(_ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool, as writer: BodyWriter) {
        if self.staged.readableBytes == 0 { self.staged.clear() }
        writer.write(ranges, of: buffer, isEnd: isEnd, staged: &self.staged) { piece in
            self.context?.write(NIOAny(piece), promise: nil)
            self.needsFlush = true
        }
    }

    /// Sends what is staged and what was written.
    func flush() {
        if self.staged.readableBytes > 0 { return self.sendStaged(nil) }
        guard self.needsFlush else { return }
        self.needsFlush = false
        self.context?.flush()
    }

    /// Sends what is staged, be it nothing, and fulfils the promise when the kernel has it and all before it.
    func sendStaged(_ promise: EventLoopPromise<Void>?) {
        let buffer = self.staged
        // The storage stays for what is staged next, once the channel has let go of it.
        self.staged.moveReaderIndex(forwardBy: buffer.readableBytes)
        self.needsFlush = false
        self.context?.writeAndFlush(NIOAny(buffer), promise: promise)
    }
}

// MARK: - Directions

extension ConnectionPort {
    /// From now on the end of what the peer sends is an event, and not the connection's end.
    func separateDirections() {
        try? self.context?.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    }

    /// Sends what is staged, and then tells the peer that no more will come.
    func endOutput() {
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        self.sendStaged(written)
        written.futureResult.assumeIsolated().whenSuccess { self.context?.close(mode: .output, promise: nil) }
    }

    /// Sends what is staged, and then closes.
    func closeAfterWriting() {
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        self.sendStaged(written)
        written.futureResult.assumeIsolated().whenComplete { _ in self.close() }
    }
}

// MARK: - A peer that takes nothing

extension ConnectionPort {
    /// The channel has come to its upper water mark, or down to its lower one. Returns whether it takes more.
    func writabilityChanged(_ isWritable: Bool, at now: @autoclosure () -> Instant, patience: Int64) -> Bool {
        self.isWritable = isWritable
        if isWritable {
            self.sendDeadline = .distantFuture
        } else {
            self.expectSending(at: now(), patience: patience)
        }
        return isWritable
    }

    /// From now on the peer is expected to take what is written.
    func expectSending(at now: Instant, patience: Int64) {
        self.stalledBytes = self.bufferedBytes
        self.sendDeadline = now.advanced(nanoseconds: patience)
    }

    /// The peer has taken everything, and nothing else will be written.
    func sendingEnded() {
        self.sendDeadline = .distantFuture
    }

    /// Whether the peer has taken nothing until its deadline. One that takes anything at all, be it slowly, is given time again.
    func hasStalled(at now: Instant, patience: Int64) -> Bool {
        guard self.sendDeadline <= now else { return false }
        let buffered = self.bufferedBytes
        guard buffered < self.stalledBytes else { return true }
        self.stalledBytes = buffered
        self.sendDeadline = now.advanced(nanoseconds: patience)
        return false
    }

    /// What was written and not taken by the kernel yet.
    private var bufferedBytes: Int {
        (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}
