import BalancerKit
import NIOCore
import ScaleCore

/// One request and its response: finds an upstream, sends the request, tries the next one where the rules allow it, and relays both bodies.
///
/// It sits between a ``ClientConnection`` and an ``UpstreamConnection`` on the same event loop, and holds what has to survive a retry. The
/// rule for retries is ``NextUpstream``; here is only what it decides about.
final class Exchange {
    fileprivate enum State {
        /// No upstream has got anything of the request yet.
        case connecting
        /// An upstream has the request; nothing of a final response has gone to the client.
        case awaitingHead
        /// The response is on its way to the client.
        case relaying
        case finished
    }

    private let client: ClientConnection
    private let worker: LoopWorker
    private let group: UpstreamGroup
    private let startedAt: Instant
    private let isHead: Bool
    private let isClientHTTP11: Bool
    private let clientPersists: Bool
    private let expectsContinue: Bool
    private let isNonIdempotent: Bool

    private var state = State.connecting
    /// The head for the upstream, kept for another attempt.
    private var head: ByteBuffer
    /// The part of the body that came before an upstream was there. What comes later is not held: reading waits.
    private var held = ByteBuffer()
    private var body: BodyReader
    private let bodyWriter: BodyWriter
    private var ranges: [Range<Int>] = []

    private var next: NextUpstream?
    private var history = CallHistory()
    private var selection: Selection?
    private var upstream: UpstreamConnection?
    private var wasReused = false
    /// Tells the connect that is waited for from one that came too late.
    private var attempt = 0
    private var delivery = ResponseDelivery(framing: .none, keepsConnection: false)
    private var status = 0

    init(_ head: RequestHead, serialized: ByteBuffer, for client: ClientConnection, to group: UpstreamGroup, at now: Instant) {
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
        let plan = client.worker.plan
        self.body = BodyReader(head.framing, limits: plan.headLimits, maximumLength: plan.configuration.limits.bodyLength ?? .max)
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
    var acceptsBody: Bool { self.upstream?.isWritable ?? false }

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
                upstream.write(self.ranges, of: buffer, isEnd: isEnd, as: self.bodyWriter)
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
        self.upstream?.flush()
    }

    private func violated(_ violation: HTTPViolation) {
        guard self.giveUpUpstream() else { return self.client.abort(resets: self.delivery.framing == .untilClose) }
        self.client.reject(violation)
    }

    /// The client did not go on with its body.
    func bodyTimedOut() {
        guard self.giveUpUpstream() else { return self.client.abort(resets: self.delivery.framing == .untilClose) }
        self.worker.tally.finished(status: 408, since: self.startedAt, at: self.worker.now())
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
        self.report(.abandoned)
        return isUnanswered
    }

    /// The client has closed its connection: nobody waits for the response.
    func clientGone() {
        guard !self.state.isFinished else { return }
        _ = self.giveUpUpstream()
        self.worker.tally.clientGone()
    }
}

// MARK: - Attempts

extension Exchange {
    private func pick(at now: Instant) {
        switch self.group.pick(&self.history, at: now) {
        case .unavailable:
            self.worker.log.noUpstream(client: self.client.address)
            self.giveUp(status: 502, at: now)
        case .endpoint(let selection):
            self.selection = selection
            if let connection = self.worker.takeIdle(self.group, selection.id) {
                self.send(on: connection, wasReused: true, at: now)
            } else {
                self.connect(selection)
            }
        }
    }

    private func connect(_ selection: Selection) {
        self.state = .connecting
        self.attempt += 1
        let attempt = self.attempt
        self.worker.connect(self.group, selection) { result in
            guard self.attempt == attempt, self.state.isConnecting else {
                if case .success(let connection) = result { connection.close() }
                return
            }
            switch result {
            case .success(let connection): self.send(on: connection, wasReused: false, at: self.worker.now())
            case .failure(let error): self.failed(error is ChannelError ? .timeout : .error, hasAnswered: false)
            }
        }
    }

    private func send(on connection: UpstreamConnection, wasReused: Bool, at now: Instant) {
        self.upstream = connection
        self.wasReused = wasReused
        self.state = .awaitingHead
        self.next?.sent()
        connection.begin(self, isHead: self.isHead)
        connection.write(self.head)
        if self.held.readableBytes > 0 { connection.write(self.held) }
        let isWhole = self.body.isFinished
        // A body that is not whole cannot be sent again, so there is no use in keeping its beginning.
        if !isWhole { self.held = ByteBuffer() }
        if isWhole { connection.requestEnded(at: now) }
        connection.flush()
        if !isWhole { self.client.resumeReading() }
    }

    /// The running attempt failed before its response head was delivered.
    ///
    /// - Parameter hasAnswered: whether any byte of an answer had come.
    func failed(_ failure: UpstreamFailure, hasAnswered: Bool) {
        guard self.state.isUnanswered, let selection else { return }
        let now = self.worker.now()
        self.detachUpstream()
        let decision = self.next?.failed(failure, wasReused: self.wasReused && !hasAnswered, at: now) ?? .answer(status: 502)
        self.wasReused = false
        switch decision {
        case .sameEndpoint:
            self.worker.tally.retries += 1
            self.connect(selection)
        case .nextEndpoint:
            self.worker.log.failed(failure, selection.endpoint, isLast: false)
            self.worker.tally.retries += 1
            self.report(failure.outcome)
            self.pick(at: now)
        case .answer(let status):
            self.worker.log.failed(failure, selection.endpoint, isLast: true)
            self.report(failure.outcome)
            self.giveUp(status: status, at: now)
        }
    }

    private func giveUp(status: Int, at now: Instant) {
        self.state = .finished
        self.worker.tally.finished(status: status, since: self.startedAt, at: now)
        self.client.answer(
            status: status, keepsConnection: self.body.isFinished && self.client.mayPersist(self.clientPersists, at: now),
            isAnswerToHead: self.isHead)
    }

    private func detachUpstream() {
        let upstream = self.upstream
        self.upstream = nil
        upstream?.abandon()
    }

    private func report(_ outcome: CallOutcome) {
        guard let selection else { return }
        self.selection = nil
        self.group.report(selection, outcome, at: self.worker.now())
    }
}

// MARK: - The response

extension Exchange {
    /// Whether the response has somewhere to go.
    var clientIsWritable: Bool { self.client.isWritable }

    /// A final response head has come. False when it goes no further, and another upstream is asked.
    func deliver(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let now = self.worker.now()
        if let next, next.goesOn(after: head.status, at: now) {
            self.failed(.status(head.status), hasAnswered: true)
            return false
        }
        self.state = .relaying
        self.status = head.status
        let framing: BodyFraming =
            switch head.framing {
            case .none, .length: head.framing
            case .chunked, .untilClose: self.isClientHTTP11 ? .chunked : .untilClose
            }
        // A client whose body is not wanted any more would have to be read to its end first; ending the connection is shorter.
        let keepsConnection =
            self.body.isFinished && framing != .untilClose && self.client.mayPersist(self.clientPersists, at: now)
        self.delivery = ResponseDelivery(framing: framing, keepsConnection: keepsConnection)
        self.client.stage(head, bytes, self.delivery)
        return true
    }

    /// Body data of the response, and the head before it.
    func deliver(_ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool) {
        self.client.write(ranges, of: buffer, isEnd: isEnd, as: BodyWriter(isChunked: self.delivery.framing == .chunked))
    }

    /// The response is whole.
    ///
    /// - Parameter keepsUpstream: whether the upstream's side of the connection is fit for another request.
    func delivered(keepsUpstream: Bool) {
        guard !self.state.isFinished else { return }
        self.state = .finished
        let now = self.worker.now()
        let requestIsWhole = self.body.isFinished
        let upstream = self.upstream
        self.upstream = nil
        self.report(.success)
        self.worker.tally.finished(status: self.status, since: self.startedAt, at: now)
        self.client.flush()
        if keepsUpstream, requestIsWhole {
            upstream?.keep(at: now)
        } else {
            upstream?.abandon()
        }
        self.client.finishExchange(
            keepsConnection: self.delivery.keepsConnection, headStorage: self.head, requestIsWhole: requestIsWhole)
    }

    /// The upstream broke off in the middle of the response.
    func lost() {
        guard !self.state.isFinished else { return }
        self.state = .finished
        if let selection { self.worker.log.lost(selection.endpoint) }
        self.detachUpstream()
        // As nginx counts it: the endpoint did answer.
        self.report(.success)
        self.worker.tally.lost(status: self.status, since: self.startedAt, at: self.worker.now())
        self.client.abort(resets: self.delivery.framing == .untilClose)
    }

    /// The upstream did not go on in time.
    func upstreamTimedOut(hasAnswered: Bool) {
        if self.state.isUnanswered {
            self.failed(.timeout, hasAnswered: hasAnswered)
        } else {
            self.lost()
        }
    }

    /// Flushes what was relayed in this turn of the loop.
    func flushClient() { self.client.flush() }

    /// The client has room again.
    func clientTakesMore() { self.upstream?.resumeReading() }

    /// The upstream has room again.
    func upstreamTakesMore() { self.client.resumeReading() }
}

extension Exchange.State {
    fileprivate var isFinished: Bool {
        switch self {
        case .finished: true
        case .connecting, .awaitingHead, .relaying: false
        }
    }

    fileprivate var isConnecting: Bool {
        switch self {
        case .connecting: true
        case .awaitingHead, .relaying, .finished: false
        }
    }

    fileprivate var isUnanswered: Bool {
        switch self {
        case .connecting, .awaitingHead: true
        case .relaying, .finished: false
        }
    }
}

extension UpstreamFailure {
    /// What the failure says of the endpoint's health. Being asked for what it refuses or does not have does not make it ill.
    fileprivate var outcome: CallOutcome {
        switch self {
        case .error, .timeout, .invalidHeader: .failure
        case .status(let status): status == 403 || status == 404 ? .abandoned : .failure
        }
    }
}
