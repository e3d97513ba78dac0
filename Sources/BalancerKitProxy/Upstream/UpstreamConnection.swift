import BalancerKit
import NIOCore
import ScaleCore

/// A connection to an endpoint: sends one request at a time and reads its response, and waits in the pool between them.
///
/// Lives on one event loop, the one of the client that it works for. Whatever arrives while nothing was asked makes it unfit, and so does
/// anything behind the end of a response.
final class UpstreamConnection: ChannelInboundHandler, LoopRegistered {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case awaitingHead
        case relaying
        /// The last bytes are on their way out.
        case ending
        case closed
    }

    /// Interim responses (1xx) that may come before the final one.
    private static let interimLimit = 16

    let group: UpstreamGroup
    let endpoint: EndpointID
    let port = ConnectionPort()
    private let worker: LoopWorker
    var registryIndex = 0
    private var state = State.idle
    private var exchange: Exchange?
    private var parser: ResponseHeadParser
    private var body: BodyReader
    private var persists = false
    private var isHead = false
    private var ranges: [Range<Int>] = []
    private var hasAnswered = false
    private var hasFailed = false
    private var interimCount = 0
    private var isRequestWhole = false
    private(set) var isActive = false
    /// When the connection is too old to be kept.
    private let agesAt: Instant
    private var requestCount = 0
    private var receiveDeadline = Instant.distantFuture

    init(_ worker: LoopWorker, to group: UpstreamGroup, _ endpoint: EndpointID, at now: Instant) {
        self.worker = worker
        self.group = group
        self.endpoint = endpoint
        self.agesAt = now.advanced(nanoseconds: group.age)
        self.parser = ResponseHeadParser(limits: worker.plan.headLimits)
        self.body = BodyReader(.none, limits: worker.plan.headLimits)
    }

    private var times: ProxyTimes { self.worker.plan.times }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.port.attach(context)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.isActive = true
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
            self.port.hold(&buffer)
            self.readHeads()
        case .relaying: self.relay(buffer)
        case .ending, .closed: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        // Told apart from the connection's end only once it is a tunnel.
        guard let exchange, exchange.tunnel != nil, case .relaying = self.state else { return self.close() }
        exchange.ended(.upstream)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.flushClient()
        self.updateReading()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = self.port.writabilityChanged(
            context.channel.isWritable, at: self.worker.now(), patience: self.times.upstreamSend)
        guard let exchange else { return }
        if isWritable {
            self.expectProgress(at: self.worker.now())
            exchange.upstreamTakesMore()
        } else {
            // First it has to take the request; then it is waited for.
            self.receiveDeadline = .distantFuture
        }
    }

    /// Reads on, or stops reading, by whether the client has taken what was read before.
    func updateReading() {
        let acceptsBytes = self.acceptsBytes
        if self.port.setReading(acceptsBytes), acceptsBytes { self.expectProgress(at: self.worker.now()) }
    }

    private var acceptsBytes: Bool { self.exchange?.clientIsWritable ?? true }

    private func ended() {
        guard self.port.detach() else { return }
        self.isActive = false
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
        case .ending, .closed: break
        }
    }
}

// MARK: - Requests

extension UpstreamConnection {
    /// The connection works for this exchange until it is kept or abandoned.
    ///
    /// - Parameter mayUpgrade: whether an upgrade is asked for, so that it may be granted.
    func begin(_ exchange: Exchange, isHead: Bool, mayUpgrade: Bool) {
        self.exchange = exchange
        self.state = .awaitingHead
        self.isHead = isHead
        self.parser.reset()
        self.parser.mayUpgrade = mayUpgrade
        self.requestCount += 1
        self.hasAnswered = false
        self.isRequestWhole = false
        self.interimCount = 0
        self.receiveDeadline = .distantFuture
    }

    /// The request is written to its end; from now on the upstream is waited for.
    func requestEnded(at now: Instant) {
        self.isRequestWhole = true
        self.expectProgress(at: now)
    }

    /// Begins the time for the next sign of life anew. While the client's body is still to come, it is the client that is waited for.
    private func expectProgress(at now: Instant) {
        guard self.port.isWritable else { return }
        self.receiveDeadline = self.isRequestWhole ? now.advanced(nanoseconds: self.times.upstreamRead) : .distantFuture
    }

    /// Something has gone through the tunnel from the client's side.
    func tunnelProgressed() {
        self.expectProgress(at: self.worker.now())
    }

    /// The exchange is over; what was written goes out first, if the endpoint takes it in time.
    func closeAfterWriting(at now: Instant) {
        self.exchange = nil
        self.state = .ending
        self.receiveDeadline = now.advanced(nanoseconds: self.times.upstreamSend)
        self.port.closeAfterWriting()
    }

    /// The response is whole and so is the request: the connection waits for another.
    func keep(at now: Instant) {
        self.exchange = nil
        self.state = .idle
        let mayStay = self.isActive && self.requestCount < self.group.keepAlive.requests && now < self.agesAt
        guard mayStay, !self.worker.isStopping else { return self.close() }
        self.port.setReading(true)
        self.receiveDeadline = now.advanced(nanoseconds: self.group.idle)
        self.worker.keepIdle(self)
    }

    /// The exchange has no more use for the connection, in whatever state it is.
    func abandon() {
        self.exchange = nil
        self.close()
    }

    func close() {
        self.exchange = nil
        self.state = .closed
        self.isActive = false
        self.port.close()
    }

    var nextDeadline: Instant { min(self.receiveDeadline, self.port.sendDeadline) }

    func deadlinePassed(at now: Instant) {
        switch self.state {
        case .idle:
            self.worker.forgetIdle(self)
            self.close()
        case .awaitingHead, .relaying:
            guard let exchange else { return self.close() }
            if self.port.hasStalled(at: now, patience: self.times.upstreamSend) {
                return exchange.upstreamTimedOut(hasAnswered: self.hasAnswered)
            }
            guard self.receiveDeadline <= now else { return }
            guard exchange.clientIsWritable else {
                // It is the client that keeps the response waiting, and its time is measured there.
                self.receiveDeadline = now.advanced(nanoseconds: self.times.upstreamRead)
                return
            }
            exchange.upstreamTimedOut(hasAnswered: self.hasAnswered)
        case .ending: self.close()
        case .closed:
            self.receiveDeadline = .distantFuture
            self.port.sendingEnded()
        }
    }
}

// MARK: - Responses

extension UpstreamConnection {
    private func readHeads() {
        while case .awaitingHead = self.state, self.port.inbox.readableBytes > 0 {
            let progress = self.port.inbox.withUnsafeReadableBytes { bytes in
                Result { () throws(HTTPViolation) in try self.parser.parse(bytes, isAnswerToHead: self.isHead) }
            }
            switch progress {
            case .failure: return self.refuse()
            case .success(nil): return self.expectProgress(at: self.worker.now())
            case .success(let length?) where self.parser.head.status < 200 && self.parser.head.status != 101: self.skipInterim(length)
            case .success(let length?): self.deliver(headLength: length)
            }
        }
    }

    /// An interim response is for this hop: the client's `100 Continue` is the proxy's own.
    private func skipInterim(_ length: Int) {
        self.port.inbox.moveReaderIndex(forwardBy: length)
        self.parser.reset()
        self.interimCount += 1
        if self.interimCount > Self.interimLimit { self.refuse() }
    }

    private func refuse() {
        self.exchange?.failed(.invalidHeader, hasAnswered: true)
    }

    private func deliver(headLength: Int) {
        let exchange = self.exchange
        let isDelivered = self.port.inbox.withUnsafeReadableBytes { bytes in
            exchange?.deliver(self.parser.head, UnsafeRawBufferPointer(rebasing: bytes[..<headLength])) ?? false
        }
        guard isDelivered else { return }
        self.state = .relaying
        self.body = BodyReader(self.parser.head.framing, limits: self.worker.plan.headLimits)
        self.persists = self.parser.head.persists
        self.port.inbox.moveReaderIndex(forwardBy: headLength)
        let rest = self.port.inbox
        self.port.inbox = ByteBuffer()
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
