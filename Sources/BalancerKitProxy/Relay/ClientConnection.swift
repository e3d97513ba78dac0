import NIOCore
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A client's connection: reads one head after the other, has each request carried out by an ``Exchange``, and keeps or closes the connection.
///
/// Lives on one event loop. Requests are carried out one at a time, in their order; what a client sends ahead waits, in bounds, or stays
/// in the kernel's buffer.
final class ClientConnection: ChannelDuplexHandler, LoopRegistered {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    fileprivate enum Phase {
        /// Between requests, or in the middle of a head.
        case awaitingHead
        case exchanging
        /// The last bytes are on their way out; what still comes in is dropped.
        case closing
        /// All is sent and said to be the end; what the client still sends is read and dropped, since closing now could destroy the answer.
        case lingering
        case closed
    }

    /// Bytes of further requests that are held while one is carried out.
    private static let pipelineLimit = 16 << 10

    let worker: LoopWorker
    var registryIndex = 0
    private(set) var address: ClientAddress
    private var context: ChannelHandlerContext?
    private var phase = Phase.awaitingHead
    private var parser: RequestHeadParser
    private var exchange: Exchange?
    /// What was read and not used yet.
    private var inbox = ByteBuffer()
    /// What is to be written next.
    private var staged = ByteBuffer()
    /// Storage for the head that goes upstream, kept from request to request.
    private var headStorage = ByteBuffer()
    private var hasPendingRead = false
    private var isAdvancing = false
    private var needsFlush = false

    private let openedAt: Instant
    private var requestCount = 0
    /// Whether a response is done and no byte of the next head has come.
    private var isIdle = false
    private var receiveDeadline: Instant
    private var sendDeadline = Instant.distantFuture
    /// What had not been taken by the kernel when the client was last seen to take nothing.
    private var stalledBytes = Int.max

    init(_ worker: LoopWorker, at now: Instant) {
        self.worker = worker
        self.address = ClientAddress(nil, trusted: [])
        self.parser = RequestHeadParser(limits: worker.plan.headLimits)
        self.openedAt = now
        self.receiveDeadline = now.advanced(by: worker.plan.configuration.timeouts.clientHead)
    }

    private var timeouts: ProxyTimeouts { self.worker.plan.configuration.timeouts }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.address = ClientAddress(context.remoteAddress?.ipAddress, trusted: self.worker.plan.configuration.forwarding.trustedProxies)
        self.worker.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = self.unwrapInboundIn(data)
        switch self.phase {
        case .awaitingHead:
            self.hold(&buffer)
            self.advance()
        case .exchanging:
            if let exchange, exchange.wantsBody {
                self.receiveDeadline = self.worker.now().advanced(by: self.timeouts.clientBody)
                exchange.receive(&buffer)
                if !exchange.wantsBody { self.receiveDeadline = .distantFuture }
            }
            if self.phase.isExchanging, buffer.readableBytes > 0 { self.hold(&buffer) }
        case .closing, .lingering, .closed:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.flushUpstream()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.sendDeadline = .distantFuture
            self.exchange?.clientTakesMore()
        } else if !self.phase.isClosing {
            self.stalledBytes = .max
            self.sendDeadline = self.worker.now().advanced(by: self.timeouts.clientSend)
        }
    }

    /// Back-pressure: a read that the channel asks for waits until what it brings has somewhere to go.
    func read(context: ChannelHandlerContext) {
        if self.acceptsBytes {
            context.read()
        } else {
            self.hasPendingRead = true
        }
    }

    func resumeReading() {
        guard self.hasPendingRead, self.acceptsBytes, let context else { return }
        self.hasPendingRead = false
        context.read()
    }

    private var acceptsBytes: Bool {
        switch self.phase {
        case .awaitingHead, .closing, .lingering, .closed: true
        case .exchanging:
            if let exchange, exchange.wantsBody { exchange.acceptsBody } else { self.inbox.readableBytes < Self.pipelineLimit }
        }
    }

    private func hold(_ buffer: inout ByteBuffer) {
        if self.inbox.readableBytes == 0 {
            self.inbox = buffer
        } else {
            self.inbox.writeBuffer(&buffer)
        }
    }

    private func ended() {
        guard self.context != nil else { return }
        self.context = nil
        self.phase = .closed
        let exchange = self.exchange
        self.exchange = nil
        exchange?.clientGone()
        self.worker.closed(self)
    }
}

// MARK: - Requests

extension ClientConnection {
    /// Reads heads and begins exchanges until one is under way or bytes run out.
    private func advance() {
        guard !self.isAdvancing else { return }
        self.isAdvancing = true
        defer { self.isAdvancing = false }
        while self.phase.isAwaitingHead, self.inbox.readableBytes > 0 {
            let progress = self.inbox.withUnsafeReadableBytes { bytes in
                Result { () throws(HTTPViolation) in try self.parser.parse(bytes) }
            }
            switch progress {
            case .failure(let violation): return self.reject(violation)
            case .success(.incomplete): return self.headBegan()
            case .success(.complete(let length)): self.begin(headLength: length)
            }
        }
    }

    /// The time for a head is absolute: it runs from the first byte, however slowly the others come.
    private func headBegan() {
        guard self.isIdle else { return }
        self.isIdle = false
        self.receiveDeadline = self.worker.now().advanced(by: self.timeouts.clientHead)
    }

    private func begin(headLength: Int) {
        let now = self.worker.now()
        self.requestCount += 1
        self.phase = .exchanging
        self.isIdle = false
        self.receiveDeadline = .distantFuture
        let head = self.parser.head
        guard let target = head.target else { return self.reject(.malformedTarget) }
        let action = self.inbox.withUnsafeReadableBytes { self.worker.plan.routes.action(for: target, $0) }
        switch action {
        case .forward(let group): self.forward(head, length: headLength, to: group, at: now)
        case .refuse(let status): self.refuse(status, head, length: headLength, at: now)
        case nil: self.refuse(404, head, length: headLength, at: now)
        }
    }

    private func refuse(_ status: Int, _ head: RequestHead, length: Int, at now: Instant) {
        self.inbox.moveReaderIndex(forwardBy: length)
        self.worker.tally.finished(status: status, since: now, at: now)
        self.answer(
            status: status, keepsConnection: head.framing == .none && self.mayPersist(head, at: now), isAnswerToHead: head.method == .head)
    }

    private func forward(_ head: RequestHead, length: Int, to group: UpstreamGroup, at now: Instant) {
        let limit = self.worker.plan.configuration.limits.bodyLength ?? .max
        if case .length(let bodyLength) = head.framing, bodyLength > limit { return self.reject(.bodyTooLarge) }
        var storage = self.headStorage
        self.headStorage = ByteBuffer()
        storage.clear()
        self.inbox.withUnsafeReadableBytes { bytes in
            let headBytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            self.worker.plan.requestFilter.write(head, headBytes, from: self.address, to: &storage)
        }
        self.inbox.moveReaderIndex(forwardBy: length)
        let exchange = Exchange(head, serialized: storage, for: self, to: group, at: now)
        self.exchange = exchange
        if exchange.wantsBody {
            self.receiveDeadline = now.advanced(by: self.timeouts.clientBody)
            // Taken out first: a violation ends the connection and empties the inbox, while the exchange still has the bytes.
            var bytes = self.inbox
            self.inbox = ByteBuffer()
            exchange.receive(&bytes)
            if self.phase.isExchanging { self.inbox = bytes }
        }
        // Hands the read buffer back, so that the channel can use it again.
        if self.inbox.readableBytes == 0 { self.inbox = ByteBuffer() }
        if self.phase.isExchanging { exchange.start(at: now) }
    }

    /// Whether the client wants the connection kept, and may have it.
    func mayPersist(_ head: RequestHead, at now: Instant) -> Bool { self.mayPersist(head.persists, at: now) }

    func mayPersist(_ isWanted: Bool, at now: Instant) -> Bool {
        let keepAlive = self.worker.plan.configuration.clientKeepAlive
        return isWanted && !self.worker.isDraining && self.requestCount < keepAlive.requests
            && self.openedAt.duration(to: now) < keepAlive.time
    }

    /// Breaks off with the error's status. Where the next request would begin is not known any more, so the connection ends.
    func reject(_ violation: HTTPViolation) {
        let status = violation.requestStatus
        self.worker.log.rejected(violation, status: status, client: self.address)
        self.worker.tally.rejected(status: status)
        self.answer(status: status, keepsConnection: false, isAnswerToHead: false)
    }
}

// MARK: - Responses

extension ClientConnection {
    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Puts a response's head in front of what is written next.
    func stage(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, _ delivery: ResponseDelivery) {
        self.staged.clear()
        self.worker.plan.responseFilter.write(head, bytes, delivery, date: self.worker.date(), to: &self.staged)
    }

    /// Writes body data behind what is staged; nothing is flushed.
    func write(_ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool, as writer: BodyWriter) {
        guard let context else { return }
        if self.staged.readableBytes == 0 { self.staged.clear() }
        writer.write(ranges, of: buffer, isEnd: isEnd, staged: &self.staged) { context.write(self.wrapOutboundOut($0), promise: nil) }
        if self.staged.readableBytes > 0 {
            context.write(self.wrapOutboundOut(self.staged), promise: nil)
            self.staged.moveReaderIndex(forwardBy: self.staged.readableBytes)
        }
        self.needsFlush = true
    }

    func flush() {
        guard self.needsFlush, let context else { return }
        self.needsFlush = false
        context.flush()
    }

    /// Invites the body of a client that waits for it (RFC 9110 §10.1.1).
    func sendContinue() {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        buffer.write("HTTP/1.1 100 Continue\r\n\r\n")
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
    }

    /// Answers in the upstream's place.
    func answer(status: Int, keepsConnection: Bool, isAnswerToHead: Bool) {
        guard let context, !self.phase.isClosing else { return }
        self.staged.clear()
        LocalAnswer.write(
            status: status, keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead,
            server: self.worker.plan.configuration.forwarding.serverHeader, date: self.worker.date(), to: &self.staged)
        guard keepsConnection else {
            self.exchange = nil
            return self.closeAfterWriting(lingers: true)
        }
        context.writeAndFlush(self.wrapOutboundOut(self.staged), promise: nil)
        self.staged.moveReaderIndex(forwardBy: self.staged.readableBytes)
        self.finishExchange(keepsConnection: true, headStorage: nil, requestIsWhole: true)
    }

    /// The response is written; what comes next on this connection, if anything.
    func finishExchange(keepsConnection: Bool, headStorage: ByteBuffer?, requestIsWhole: Bool) {
        self.exchange = nil
        guard self.context != nil, self.phase.isExchanging else { return }
        if let headStorage { self.headStorage = headStorage }
        guard keepsConnection else {
            return self.closeAfterWriting(lingers: !requestIsWhole || self.inbox.readableBytes > 0)
        }
        self.phase = .awaitingHead
        self.parser.reset()
        let idle = self.worker.isDraining ? self.timeouts.shutdownIdle : self.worker.plan.configuration.clientKeepAlive.idle
        self.receiveDeadline = self.worker.now().advanced(by: idle)
        self.isIdle = true
        self.resumeReading()
        self.advance()
    }

    /// The response cannot be brought to its end, and the client must not take what it has for all of it.
    ///
    /// - Parameter resets: whether the end of the connection would look like the end of the body.
    func abort(resets: Bool) {
        guard let context else { return }
        self.exchange = nil
        self.phase = .closing
        if resets, let provider = context.channel as? any SocketOptionProvider {
            _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        } else {
            // The client gets what there is, so that it can see where it breaks off.
            self.flush()
        }
        self.context?.close(promise: nil)
    }

    private func closeAfterWriting(lingers: Bool) {
        guard let context else { return }
        self.phase = .closing
        self.sendDeadline = self.worker.now().advanced(by: self.timeouts.clientSend)
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(self.wrapOutboundOut(self.staged), promise: written)
        self.staged = ByteBuffer()
        self.inbox = ByteBuffer()
        self.resumeReading()
        written.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success where lingers: self.drainInput()
            case .success, .failure: self.context?.close(promise: nil)
            }
        }
    }

    private func drainInput() {
        guard let context else { return }
        self.phase = .lingering
        self.sendDeadline = .distantFuture
        self.receiveDeadline = self.worker.now().advanced(by: self.timeouts.lingering)
        context.close(mode: .output, promise: nil)
    }
}

// MARK: - Time

extension ClientConnection {
    var nextDeadline: Instant { min(self.receiveDeadline, self.sendDeadline) }

    func deadlinePassed(at now: Instant) {
        if self.sendDeadline <= now { return self.sendTimedOut(at: now) }
        switch self.phase {
        case .awaitingHead:
            // Nobody waits for an answer when nothing was asked.
            guard self.parser.hasBegun(received: self.inbox.readableBytes) else { return self.close() }
            self.worker.log.timedOut("request head", client: self.address)
            self.worker.tally.rejected(status: 408)
            self.answer(status: 408, keepsConnection: false, isAnswerToHead: false)
        case .exchanging:
            guard let exchange, exchange.wantsBody, exchange.acceptsBody else {
                // The body is held back by the upstream, not by the client.
                self.receiveDeadline = now.advanced(by: self.timeouts.clientBody)
                return
            }
            self.worker.log.timedOut("request body", client: self.address)
            exchange.bodyTimedOut()
        case .closing, .lingering, .closed: self.close()
        }
    }

    /// A client that takes anything at all is given time again.
    private func sendTimedOut(at now: Instant) {
        let buffered = (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard !self.phase.isClosing, buffered < self.stalledBytes else {
            self.worker.log.timedOut("response", client: self.address)
            return self.close()
        }
        self.stalledBytes = buffered
        self.sendDeadline = now.advanced(by: self.timeouts.clientSend)
    }

    /// A graceful shutdown has begun: an idle connection may wait until `deadline` for one more request.
    func drain(until deadline: Instant) {
        guard self.phase.isAwaitingHead, self.inbox.readableBytes == 0 else { return }
        self.receiveDeadline = min(self.receiveDeadline, deadline)
    }

    func close() {
        self.context?.close(promise: nil)
    }
}

extension ClientConnection.Phase {
    fileprivate var isAwaitingHead: Bool {
        switch self {
        case .awaitingHead: true
        case .exchanging, .closing, .lingering, .closed: false
        }
    }

    fileprivate var isExchanging: Bool {
        switch self {
        case .exchanging: true
        case .awaitingHead, .closing, .lingering, .closed: false
        }
    }

    /// Whether the last word on this connection is spoken.
    fileprivate var isClosing: Bool {
        switch self {
        case .closing, .lingering, .closed: true
        case .awaitingHead, .exchanging: false
        }
    }
}
