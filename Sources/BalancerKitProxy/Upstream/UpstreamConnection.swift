import BalancerKit
import NIOCore
import ScaleCore

/// A connection to an endpoint: sends one request at a time and reads its response, and waits in the pool between them.
///
/// Lives on one event loop, the one of the client that it works for. Whatever arrives while nothing was asked makes it unfit, and so does
/// anything behind the end of a response.
final class UpstreamConnection: ChannelDuplexHandler, LoopRegistered {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case awaitingHead
        case relaying
        case closed
    }

    /// Interim responses (1xx) that may come before the final one.
    private static let interimLimit = 16

    let group: UpstreamGroup
    let endpoint: EndpointID
    private let worker: LoopWorker
    var registryIndex = 0
    private var context: ChannelHandlerContext?
    private var state = State.idle
    private var exchange: Exchange?
    private var parser: ResponseHeadParser
    private var body: BodyReader
    private var persists = false
    private var isHead = false
    private var inbox = ByteBuffer()
    private var staged = ByteBuffer()
    private var ranges: [Range<Int>] = []
    private var hasAnswered = false
    private var hasFailed = false
    private var interimCount = 0
    private var isRequestWhole = false
    private var hasPendingRead = false
    private var needsFlush = false
    private let openedAt: Instant
    private var requestCount = 0
    private(set) var nextDeadline = Instant.distantFuture

    init(_ worker: LoopWorker, to group: UpstreamGroup, _ endpoint: EndpointID, at now: Instant) {
        self.worker = worker
        self.group = group
        self.endpoint = endpoint
        self.openedAt = now
        self.parser = ResponseHeadParser(limits: worker.plan.headLimits)
        self.body = BodyReader(.none, limits: worker.plan.headLimits)
    }

    private var timeouts: ProxyTimeouts { self.worker.plan.configuration.timeouts }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        self.worker.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasFailed = true
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = self.unwrapInboundIn(data)
        switch self.state {
        case .idle:
            self.worker.forgetIdle(self)
            self.close()
        case .awaitingHead:
            self.hasAnswered = true
            if self.inbox.readableBytes == 0 {
                self.inbox = buffer
            } else {
                self.inbox.writeBuffer(&buffer)
            }
            self.readHeads()
        case .relaying: self.relay(buffer)
        case .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.flushClient()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard let exchange else { return }
        if context.channel.isWritable {
            self.expectProgress(at: self.worker.now())
            exchange.upstreamTakesMore()
        } else {
            self.nextDeadline = self.worker.now().advanced(by: self.timeouts.upstreamSend)
        }
    }

    /// Back-pressure: a read waits until the client has taken what was read before.
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
        self.expectProgress(at: self.worker.now())
        context.read()
    }

    private var acceptsBytes: Bool { self.exchange?.clientIsWritable ?? true }

    private func ended() {
        guard self.context != nil else { return }
        self.context = nil
        let state = self.state
        self.state = .closed
        let exchange = self.exchange
        self.exchange = nil
        self.worker.closed(self)
        switch state {
        case .idle: self.worker.forgetIdle(self)
        case .awaitingHead: exchange?.failed(.error, hasAnswered: self.hasAnswered)
        case .relaying where self.body.endsAtClose && !self.hasFailed:
            exchange?.deliver([], of: ByteBuffer(), isEnd: true)
            exchange?.delivered(keepsUpstream: false)
        case .relaying: exchange?.lost()
        case .closed: break
        }
    }
}

// MARK: - Requests

extension UpstreamConnection {
    var isWritable: Bool { self.context?.channel.isWritable ?? false }
    var isActive: Bool { self.context?.channel.isActive ?? false }

    /// The connection works for this exchange until it is kept or abandoned.
    func begin(_ exchange: Exchange, isHead: Bool) {
        self.exchange = exchange
        self.state = .awaitingHead
        self.isHead = isHead
        self.parser.reset()
        self.requestCount += 1
        self.hasAnswered = false
        self.isRequestWhole = false
        self.interimCount = 0
        self.nextDeadline = .distantFuture
    }

    func write(_ buffer: ByteBuffer) {
        self.context?.write(self.wrapOutboundOut(buffer), promise: nil)
        self.needsFlush = true
    }

    /// Writes data of the request's body; nothing is flushed.
    func write(_ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool, as writer: BodyWriter) {
        self.staged.clear()
        writer.write(ranges, of: buffer, isEnd: isEnd, staged: &self.staged) { self.write($0) }
        if self.staged.readableBytes > 0 { self.write(self.staged) }
    }

    func flush() {
        guard self.needsFlush else { return }
        self.needsFlush = false
        self.context?.flush()
    }

    /// The request is written to its end; from now on the upstream is waited for.
    func requestEnded(at now: Instant) {
        self.isRequestWhole = true
        self.expectProgress(at: now)
    }

    /// Begins the time for the next sign of life anew. While the client's body is still to come, it is the client that is waited for.
    private func expectProgress(at now: Instant) {
        guard self.isWritable else { return }
        self.nextDeadline = self.isRequestWhole ? now.advanced(by: self.timeouts.upstreamRead) : .distantFuture
    }

    /// The response is whole and so is the request: the connection waits for another.
    func keep(at now: Instant) {
        self.exchange = nil
        self.state = .idle
        let rules = self.group.keepAlive
        let mayStay = self.isActive && self.requestCount < rules.requests && self.openedAt.duration(to: now) < rules.time
        guard mayStay, !self.worker.isStopping else { return self.close() }
        self.nextDeadline = now.advanced(by: rules.idle)
        self.worker.keepIdle(self)
        self.resumeReading()
    }

    /// The exchange has no more use for the connection, in whatever state it is.
    func abandon() {
        self.exchange = nil
        self.close()
    }

    func close() {
        self.exchange = nil
        self.state = .closed
        self.context?.close(promise: nil)
    }

    func deadlinePassed(at now: Instant) {
        switch self.state {
        case .idle:
            self.worker.forgetIdle(self)
            self.close()
        case .awaitingHead, .relaying:
            guard let exchange else { return self.close() }
            guard exchange.clientIsWritable else {
                // It is the client that keeps the response waiting, and its time is measured there.
                self.nextDeadline = now.advanced(by: self.timeouts.upstreamRead)
                return
            }
            exchange.upstreamTimedOut(hasAnswered: self.hasAnswered)
        case .closed: self.nextDeadline = .distantFuture
        }
    }
}

// MARK: - Responses

extension UpstreamConnection {
    private func readHeads() {
        while case .awaitingHead = self.state, self.inbox.readableBytes > 0 {
            let progress = self.inbox.withUnsafeReadableBytes { bytes in
                Result { () throws(HTTPViolation) in try self.parser.parse(bytes, isAnswerToHead: self.isHead) }
            }
            switch progress {
            case .failure: return self.refuse()
            case .success(nil): return self.expectProgress(at: self.worker.now())
            case .success(let length?) where self.parser.head.status < 200: self.skipInterim(length)
            case .success(let length?): self.deliver(headLength: length)
            }
        }
    }

    /// An interim response is for this hop: the client's `100 Continue` is the proxy's own.
    private func skipInterim(_ length: Int) {
        self.inbox.moveReaderIndex(forwardBy: length)
        self.parser.reset()
        self.interimCount += 1
        if self.interimCount > Self.interimLimit { self.refuse() }
    }

    private func refuse() {
        self.exchange?.failed(.invalidHeader, hasAnswered: true)
    }

    private func deliver(headLength: Int) {
        let exchange = self.exchange
        let isDelivered = self.inbox.withUnsafeReadableBytes { bytes in
            exchange?.deliver(self.parser.head, UnsafeRawBufferPointer(rebasing: bytes[..<headLength])) ?? false
        }
        guard isDelivered else { return }
        self.state = .relaying
        self.body = BodyReader(self.parser.head.framing, limits: self.worker.plan.headLimits)
        self.persists = self.parser.head.persists
        self.inbox.moveReaderIndex(forwardBy: headLength)
        let rest = self.inbox
        self.inbox = ByteBuffer()
        self.relay(rest)
    }

    private func relay(_ buffer: ByteBuffer) {
        guard let exchange else { return }
        self.ranges.removeAll(keepingCapacity: true)
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(HTTPViolation) in try self.body.read(bytes, from: 0, into: &self.ranges) }
        }
        switch result {
        case .failure: exchange.lost()
        case .success(let end):
            let isEnd = self.body.isFinished
            exchange.deliver(self.ranges, of: buffer, isEnd: isEnd)
            if isEnd {
                // Bytes behind the end belong to nothing that was asked for.
                exchange.delivered(keepsUpstream: self.persists && end == buffer.readableBytes)
            } else {
                self.expectProgress(at: self.worker.now())
            }
        }
    }
}
