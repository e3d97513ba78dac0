import BalancerKit
import NIOCore
import ScaleCore

/// One request and its response: finds an upstream, sends the request, tries the next one where the rules allow it, and relays both bodies.
///
/// It sits between a ``ClientConnection`` and an ``UpstreamConnection`` on the same event loop, and holds what has to survive a retry. The
/// rule for retries is ``NextUpstream``; here is only what it decides about. Its state and the request's body are here, the search for an
/// upstream in `Exchange+Attempts`, the way back in `Exchange+Response`.
final class Exchange {
    enum State {
        /// No upstream has got anything of the request yet.
        case connecting
        /// An upstream has the request; nothing of a final response has gone to the client.
        case awaitingHead
        /// The response is on its way to the client.
        case relaying
        case finished
    }

    let client: ClientConnection
    let worker: LoopWorker
    let group: UpstreamGroup
    let startedAt: Instant
    let isHead: Bool
    let isClientHTTP11: Bool
    let clientPersists: Bool
    let expectsContinue: Bool
    let isNonIdempotent: Bool

    var state = State.connecting
    /// The head for the upstream, kept for another attempt.
    var head: ByteBuffer
    /// The part of the body that came before an upstream was there. What comes later is not held: reading waits.
    var held = ByteBuffer()
    var body: BodyReader
    var bodyWriter: BodyWriter
    var ranges: [Range<Int>] = []

    var next: NextUpstream?
    var history = CallHistory()
    var selection: Selection?
    var upstream: UpstreamConnection?
    var wasReused = false
    /// Tells the connect that is waited for from one that came too late.
    var attempt = 0
    var delivery = ResponseDelivery(framing: .none, keepsConnection: false)
    var status = 0
    /// Bytes of the response's body that went to the client.
    var sentBytes = 0
    let record: RequestRecord?
    /// The upgrade that was asked of the upstream.
    var upgrade: UpgradeRequest?
    /// Set once the upstream has switched protocols; then bodies are what goes through it.
    var tunnel: Tunnel?
    /// Whom the client's sticky cookie names.
    var binding: StickyTable.Binding?

    init(
        _ head: RequestHead, serialized: ByteBuffer, for client: ClientConnection, to group: UpstreamGroup, _ record: RequestRecord?,
        bodyLimit: Int, at now: Instant
    ) {
        self.client = client
        self.worker = client.worker
        self.group = group
        self.startedAt = now
        self.isHead = head.method == .head
        self.isClientHTTP11 = head.isHTTP11
        self.clientPersists = head.persists
        self.expectsContinue = head.expectsContinue
        self.isNonIdempotent = head.method.isNonIdempotent
        self.head = serialized
        self.record = record
        let plan = client.worker.plan
        self.body = BodyReader(head.framing, limits: plan.headLimits, maximumLength: bodyLimit)
        self.bodyWriter = BodyWriter(isChunked: head.framing == .chunked)
    }

    /// Begins with what has been received.
    func start(at now: Instant) {
        self.next = NextUpstream(
            rules: self.group.rules, endpointCount: self.group.endpointCount, isNonIdempotent: self.isNonIdempotent,
            isStreaming: !self.body.isFinished, at: now)
        if self.expectsContinue, !self.body.isFinished, self.body.received == 0 { self.client.sendContinue() }
        self.pick(at: now)
    }
}

// MARK: - The request's body

extension Exchange {
    /// Whether a part of the request's body is still to come.
    var wantsBody: Bool { !self.body.isFinished }

    /// Whether that part has somewhere to go.
    var acceptsBody: Bool { self.upstream?.port.isWritable ?? false }

    /// Takes the bytes that belong to the body, and leaves the rest.
    func receive(_ buffer: inout ByteBuffer) {
        self.ranges.removeAll(keepingCapacity: true)
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(HTTPViolation) in try self.body.read(bytes, from: 0, into: &self.ranges) }
        }
        switch result {
        case .failure(let violation): self.violated(violation)
        case .success(let end):
            let isEnd = self.body.isFinished
            if let upstream {
                upstream.port.write(self.ranges, of: buffer, isEnd: isEnd, as: self.bodyWriter)
                if self.tunnel != nil { upstream.tunnelProgressed() }
                if isEnd { upstream.requestEnded(at: self.worker.now()) }
            } else {
                self.hold(buffer, isEnd: isEnd)
            }
            buffer.moveReaderIndex(forwardBy: end)
        }
    }

    private func hold(_ buffer: ByteBuffer, isEnd: Bool) {
        var gathered = self.held
        self.held = ByteBuffer()
        var staged = ByteBuffer()
        self.bodyWriter.write(self.ranges, of: buffer, isEnd: isEnd, staged: &staged) { gathered.writeImmutableBuffer($0) }
        gathered.writeBuffer(&staged)
        self.held = gathered
    }

    func flushUpstream() {
        self.upstream?.port.flush()
    }

    private func violated(_ violation: HTTPViolation) {
        let isUnanswered = self.giveUpUpstream()
        guard isUnanswered else { return self.breakOff() }
        self.record?.finish(
            status: violation.requestStatus, bytes: LocalAnswer.length(violation.requestStatus, isAnswerToHead: false), endpoint: nil,
            attempts: self.history.attempts, at: self.worker.now())
        self.client.reject(violation)
    }

    /// The client did not go on with its body.
    func bodyTimedOut() {
        guard self.giveUpUpstream() else { return self.breakOff() }
        self.sentBytes = LocalAnswer.length(408, isAnswerToHead: self.isHead)
        self.finish(status: 408, at: self.worker.now())
        self.client.answer(status: 408, keepsConnection: false, isAnswerToHead: self.isHead)
    }

    /// Leaves the upstream to itself because of the client. True when nothing of a response has gone out.
    private func giveUpUpstream() -> Bool {
        let isUnanswered =
            switch self.state {
            case .connecting, .awaitingHead: true
            case .relaying, .finished: false
            }
        self.state = .finished
        self.detachUpstream()
        self.report(.abandoned, at: self.worker.now())
        return isUnanswered
    }

    /// The client has closed its connection: nobody waits for the response.
    func clientGone() {
        guard !self.state.isFinished else { return }
        let endpoint = self.endpointForRecord
        if self.tunnel != nil {
            // What the client has said before is still said: TLS ends both directions at once, so that there is no half that goes on.
            let upstream = self.upstream
            self.upstream = nil
            upstream?.closeAfterWriting(at: self.worker.now())
        }
        _ = self.giveUpUpstream()
        self.worker.tally.clientGone()
        // nginx's status for it, which nobody is sent.
        self.record?.finish(
            status: self.tunnel == nil ? 499 : self.status, bytes: self.sentBytes, endpoint: endpoint, attempts: self.history.attempts,
            at: self.worker.now())
    }

    /// The client is in the middle of a response that will not be whole.
    private func breakOff() {
        self.finish(status: self.status, at: self.worker.now())
        self.client.abort(resets: self.delivery.framing == .untilClose)
    }

    /// The endpoint that is asked, where somebody wants to know in the end.
    var endpointForRecord: Endpoint? { self.record == nil ? nil : self.selection?.endpoint }

    /// Counts the request, and tells of it where somebody listens.
    func finish(status: Int, endpoint: Endpoint? = nil, at now: Instant) {
        self.worker.tally.finished(status: status, after: self.startedAt.nanoseconds(to: now))
        self.record?.finish(status: status, bytes: self.sentBytes, endpoint: endpoint, attempts: self.history.attempts, at: now)
    }
}

extension Exchange.State {
    var isFinished: Bool {
        switch self {
        case .finished: true
        case .connecting, .awaitingHead, .relaying: false
        }
    }

    var isConnecting: Bool {
        switch self {
        case .connecting: true
        case .awaitingHead, .relaying, .finished: false
        }
    }

    var isUnanswered: Bool {
        switch self {
        case .connecting, .awaitingHead: true
        case .relaying, .finished: false
        }
    }
}
