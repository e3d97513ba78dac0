import NIOCore
import NIOSSL
import NIOTLS
import ScaleCore

/// A client's connection: reads one head after the other, has each request carried out by an ``Exchange``, and keeps or closes the connection.
///
/// Lives on one event loop. Requests are carried out one at a time, in their order; what a client sends ahead waits, in bounds, or stays
/// in the kernel's buffer. Here are its states and the channel's events; what is done with a head is in `ClientConnection+Requests`,
/// with a response in `+Responses`, with time in `+Deadlines`.
final class ClientConnection: ChannelInboundHandler, LoopRegistered {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
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
    let port = ConnectionPort()
    var registryIndex = 0
    private(set) var address: ClientAddress
    var phase = Phase.awaitingHead
    var parser: RequestHeadParser
    var exchange: Exchange?
    /// A file that is sent in an exchange's place.
    var transfer: FileTransfer?
    /// A request that waits for its turn under a limit.
    var delayed: DelayedRequest?
    /// What the running request's response gets; nil where that is nothing.
    var additions: ResponseAdditions?
    /// Whether a route, or the lack of one, has said so.
    var isRouted = false
    /// The running request's place among those that a limit counts.
    var lease: ConnectionLease?
    /// Storage for the head that goes upstream, kept from request to request.
    var headStorage = ByteBuffer()
    var isAdvancing = false

    /// When the connection is too old to be kept.
    let agesAt: Instant
    var requestCount = 0
    /// Whether a response is done and no byte of the next head has come.
    var isIdle = false
    var receiveDeadline: Instant

    init(_ worker: LoopWorker, at now: Instant) {
        self.worker = worker
        self.address = ClientAddress(nil, trusted: [])
        self.parser = RequestHeadParser(limits: worker.plan.headLimits)
        self.agesAt = now.advanced(nanoseconds: worker.plan.times.clientAge)
        self.receiveDeadline = now.advanced(nanoseconds: worker.plan.times.handshake ?? worker.plan.times.clientHead)
    }

    var times: ProxyTimes { self.worker.plan.times }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.port.attach(context)
        let plan = self.worker.plan
        self.address = ClientAddress(
            context.remoteAddress?.ipAddress, trusted: plan.configuration.forwarding.trustedProxies, isSecure: plan.certificates != nil)
        self.worker.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .handshakeFailed? = error as? NIOSSLError { self.worker.log.handshakeFailed("no agreement", client: self.address) }
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = self.unwrapInboundIn(data)
        switch self.phase {
        case .awaitingHead:
            self.port.hold(&buffer)
            self.advance()
        case .exchanging:
            if let exchange, exchange.wantsBody {
                let isTunnel = exchange.tunnel != nil
                self.receiveDeadline = isTunnel ? .distantFuture : self.worker.now().advanced(nanoseconds: self.times.clientBody)
                exchange.receive(&buffer)
                if !exchange.wantsBody { self.receiveDeadline = .distantFuture }
            }
            if self.phase.isExchanging, buffer.readableBytes > 0 { self.port.hold(&buffer) }
        case .closing, .lingering, .closed:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.flushUpstream()
        self.updateReading()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // At the end there is one deadline for all that is left, whatever the water marks say.
        guard !self.phase.isClosing else { return }
        let isWritable = self.port.writabilityChanged(
            context.channel.isWritable, at: self.worker.now(), patience: self.times.clientSend)
        guard isWritable else { return }
        self.exchange?.clientTakesMore()
        self.transfer?.clientTakesMore()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as ChannelEvent where event == .inputClosed: self.inputEnded()
        case let event as TLSUserEvent:
            guard case .handshakeCompleted = event else { return }
            self.receiveDeadline = self.worker.now().advanced(nanoseconds: self.times.clientHead)
        case is TLSDoor.PlainTextCame: self.reject(.plainTextForTLS)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// The client sends no more. Told apart from the connection's end only once it is a tunnel.
    private func inputEnded() {
        if self.phase.isExchanging, let exchange, exchange.tunnel != nil {
            exchange.ended(.client)
        } else {
            self.close()
        }
    }

    /// Reads on, or stops reading, by whether there is use for what comes.
    func updateReading() {
        self.port.setReading(self.acceptsBytes)
    }

    private var acceptsBytes: Bool {
        switch self.phase {
        case .awaitingHead, .closing, .lingering, .closed: true
        case .exchanging:
            if let exchange, exchange.wantsBody { exchange.acceptsBody } else { self.port.inbox.readableBytes < Self.pipelineLimit }
        }
    }

    func close() {
        self.port.close()
    }

    /// A request that waited for its turn is not carried out any more.
    private func abandonDelayed() {
        guard let delayed else { return }
        self.delayed = nil
        self.worker.tally.clientGone()
        delayed.record?.finish(status: 499, bytes: 0, endpoint: nil, attempts: 0, at: self.worker.now())
    }

    private func ended() {
        guard self.port.detach() else { return }
        self.phase = .closed
        let exchange = self.exchange
        self.exchange = nil
        let transfer = self.transfer
        self.transfer = nil
        exchange?.clientGone()
        transfer?.clientGone()
        self.abandonDelayed()
        self.lease?.release()
        self.lease = nil
        self.worker.closed(self)
    }
}

extension ClientConnection.Phase {
    var isAwaitingHead: Bool {
        switch self {
        case .awaitingHead: true
        case .exchanging, .closing, .lingering, .closed: false
        }
    }

    var isExchanging: Bool {
        switch self {
        case .exchanging: true
        case .awaitingHead, .closing, .lingering, .closed: false
        }
    }

    /// Whether the last word on this connection is spoken.
    var isClosing: Bool {
        switch self {
        case .closing, .lingering, .closed: true
        case .awaitingHead, .exchanging: false
        }
    }
}
