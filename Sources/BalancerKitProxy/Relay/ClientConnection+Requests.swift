import BalancerKit
import NIOCore
import ScaleCore

// From the bytes of a head to an exchange, or to a refusal.

extension ClientConnection {
    /// Reads heads and begins exchanges until one is under way or bytes run out.
    func advance() {
        guard !self.isAdvancing else { return }
        self.isAdvancing = true
        defer { self.isAdvancing = false }
        while self.phase.isAwaitingHead, self.port.inbox.readableBytes > 0 {
            let progress = self.port.inbox.withUnsafeReadableBytes { bytes in
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
        self.receiveDeadline = self.worker.now().advanced(nanoseconds: self.times.clientHead)
    }

    private func begin(headLength: Int) {
        let now = self.worker.now()
        self.requestCount += 1
        self.phase = .exchanging
        self.isIdle = false
        self.receiveDeadline = .distantFuture
        guard let target = self.parser.head.target else { return self.reject(.malformedTarget) }
        let plan = self.worker.plan
        switch self.port.inbox.withUnsafeReadableBytes({ plan.routes.route(for: self.parser.head, target, $0) }) {
        case .route(let route, let captures):
            let record = self.makeRecord(route.responses.log, length: headLength, at: now)
            self.routed(route.responses.rule, captures, headLength: headLength)
            guard let limits = route.limits else { return self.carryOut(route, captures, headLength: headLength, record, at: now) }
            self.admit(route, captures, limits, headLength: headLength, record, at: now)
        case .nothing: self.refuse(404, headLength: headLength, at: now)
        case .tooComplex: self.refuse(500, headLength: headLength, at: now)
        }
    }

    /// Refuses where no route says anything.
    private func refuse(_ status: Int, headLength: Int, at now: Instant) {
        let routes = self.worker.plan.routes
        let responses = self.port.inbox.withUnsafeReadableBytes { routes.responses(for: self.parser.head, $0) }
        let record = self.makeRecord(responses.log, length: headLength, at: now)
        self.routed(responses.rule, .none, headLength: headLength)
        self.refuse(status, self.parser.head, length: headLength, record, at: now)
    }

    /// Notes what the response gets, as long as the head is there.
    private func routed(_ responses: ResponseRule?, _ captures: RouteCaptures, headLength: Int) {
        self.isRouted = true
        guard let responses else { return }
        self.additions = self.port.inbox.withUnsafeReadableBytes { bytes in
            responses.additions(for: self.view(self.parser.head, UnsafeRawBufferPointer(rebasing: bytes[..<headLength]), captures))
        }
    }

    /// What a response gets of ours; of one to what is no request nothing is known but whom it is for.
    ///
    /// - Parameter modified: the second of its Last-Modified.
    func changes(status: Int, modified: Int64? = nil, at now: Instant) -> ResponseChanges? {
        if !self.isRouted, let responses = self.worker.plan.routes.usualResponses.rule {
            let head = RequestHead(limits: self.worker.plan.headLimits)
            self.additions = responses.additions(for: self.view(head, UnsafeRawBufferPointer(start: nil, count: 0), .none))
        }
        return self.additions?.changes(status: status, modified: modified, at: self.worker.second(at: now))
    }

    /// Does what the request's route says.
    func carryOut(
        _ route: PlannedRoute, _ captures: RouteCaptures, headLength: Int, _ record: RequestRecord?, at now: Instant
    ) {
        switch route.action {
        case .forward(let group):
            self.forward(self.parser.head, length: headLength, to: group, route, captures, record, at: now)
        case .files(let site): self.send(from: site, self.parser.head, length: headLength, record, at: now)
        case .refuse(let status): self.refuse(status, self.parser.head, length: headLength, record, at: now)
        case .answer(let answer): self.send(answer, self.parser.head, length: headLength, captures, record, at: now)
        case .close:
            self.worker.tally.finished(status: 444, after: 0)
            record?.finish(status: 444, bytes: 0, endpoint: nil, attempts: 0, at: now)
            self.close()
        }
    }

    /// What templates are filled in from.
    private func view(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ captures: RouteCaptures) -> RequestView {
        RequestView(
            head: head, bytes: bytes, client: self.address, isTLS: self.address.isSecure,
            defaultHost: self.worker.plan.configuration.forwarding.defaultHost, captures: captures)
    }

    private func send(
        _ answer: FixedAnswer, _ head: RequestHead, length: Int, _ captures: RouteCaptures, _ record: RequestRecord?, at now: Instant
    ) {
        let port = self.port.context?.channel.localAddress?.port
        let filled = self.port.inbox.withUnsafeReadableBytes { bytes in
            answer.filled(for: self.view(head, UnsafeRawBufferPointer(rebasing: bytes[..<length]), captures), port: port)
        }
        self.port.inbox.moveReaderIndex(forwardBy: length)
        self.worker.tally.finished(status: filled.status, after: 0)
        record?.finish(
            status: filled.status, bytes: head.method == .head ? 0 : filled.body?.count ?? 0, endpoint: nil, attempts: 0, at: now)
        self.answer(
            filled, keepsConnection: head.framing == .none && self.mayPersist(head.persists, at: now), isAnswerToHead: head.method == .head)
    }

    /// What the access log and the tracer are told in the end; nil where neither listens.
    private func makeRecord(_ log: RequestLog, length: Int, at now: Instant) -> RequestRecord? {
        let observers = self.worker.plan.observers
        guard observers.areListening(log) else { return nil }
        return self.port.inbox.withUnsafeReadableBytes { bytes in
            RequestRecord(
                self.parser.head, UnsafeRawBufferPointer(rebasing: bytes[..<length]), from: self.address, log, observers, at: now)
        }
    }

    func refuse(_ status: Int, _ head: RequestHead, length: Int, _ record: RequestRecord?, at now: Instant) {
        self.port.inbox.moveReaderIndex(forwardBy: length)
        self.worker.tally.finished(status: status, after: 0)
        record?.finish(
            status: status, bytes: LocalAnswer.length(status, isAnswerToHead: head.method == .head), endpoint: nil, attempts: 0, at: now)
        self.answer(
            status: status, keepsConnection: head.framing == .none && self.mayPersist(head.persists, at: now),
            isAnswerToHead: head.method == .head)
    }

    private func forward(
        _ head: RequestHead, length: Int, to group: UpstreamGroup, _ route: PlannedRoute, _ captures: RouteCaptures,
        _ record: RequestRecord?, at now: Instant
    ) {
        let plan = self.worker.plan
        let limit = route.rule?.bodyLength ?? plan.configuration.limits.bodyLength ?? .max
        if case .length(let bodyLength) = head.framing, bodyLength > limit {
            let status = HTTPViolation.bodyTooLarge.requestStatus
            record?.finish(
                status: status, bytes: LocalAnswer.length(status, isAnswerToHead: false), endpoint: nil, attempts: 0, at: now)
            return self.reject(.bodyTooLarge)
        }
        var storage = self.headStorage
        self.headStorage = ByteBuffer()
        storage.clear()
        var key: [UInt8]?
        var upgrade: UpgradeRequest?
        var binding: StickyTable.Binding?
        self.port.inbox.withUnsafeReadableBytes { bytes in
            let headBytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            var changes: HeadChanges?
            if let rule = route.rule {
                let view = self.view(head, headBytes, captures)
                changes = rule.changes(for: view)
                key = rule.keyBytes(for: view)
            }
            if route.upgrades != .never { upgrade = UpgradeRequest(head, headBytes, route.upgrades) }
            if let sticky = group.sticky { binding = sticky.binding(of: head, headBytes) }
            storage.writeHead(estimate: length + 256) {
                plan.requestFilter.write(
                    head, headBytes, from: self.address, changes: changes, trace: record?.traceFields ?? [], upgrade: upgrade, to: &$0)
            }
        }
        self.port.inbox.moveReaderIndex(forwardBy: length)
        let exchange = Exchange(head, serialized: storage, for: self, to: group, record, bodyLimit: limit, at: now)
        exchange.history.key = key
        exchange.upgrade = upgrade
        exchange.binding = binding
        self.exchange = exchange
        if exchange.wantsBody { self.receiveBeginning(of: exchange, at: now) }
        // Hands the read buffer back, so that the channel can use it again.
        if self.port.inbox.readableBytes == 0 { self.port.inbox = ByteBuffer() }
        if self.phase.isExchanging { exchange.start(at: now) }
    }

    /// Gives an exchange what has come of its body together with the head.
    private func receiveBeginning(of exchange: Exchange, at now: Instant) {
        self.receiveDeadline = now.advanced(nanoseconds: self.times.clientBody)
        // Taken out first: a violation ends the connection and empties the inbox, while the exchange still has the bytes.
        var bytes = self.port.inbox
        self.port.inbox = ByteBuffer()
        exchange.receive(&bytes)
        if self.phase.isExchanging { self.port.inbox = bytes }
        if !exchange.wantsBody { self.receiveDeadline = .distantFuture }
    }

    /// Whether a client that wants the connection kept may have it.
    func mayPersist(_ isWanted: Bool, at now: Instant) -> Bool {
        isWanted && !self.worker.isDraining && self.requestCount < self.worker.plan.configuration.clientKeepAlive.requests
            && now < self.agesAt
    }

    /// Breaks off with the error's status. Where the next request would begin is not known any more, so the connection ends.
    func reject(_ violation: HTTPViolation) {
        let status = violation.requestStatus
        self.worker.log.rejected(violation, status: status, client: self.address)
        self.worker.tally.rejected(status: status)
        self.noteUnreadable(status: status)
        self.answer(status: status, keepsConnection: false, isAnswerToHead: false)
    }

    /// Writes a line for what is no request. The proxy's own log has been told why.
    func noteUnreadable(status: Int) {
        let files = self.worker.plan.routes.usualResponses.log.files
        guard !self.isRouted, !files.isEmpty else { return }
        let line = self.port.inbox.withUnsafeReadableBytes { AccessLogLine(unreadable: $0, from: self.address) }
        let second = self.worker.second(at: self.worker.now())
        let bytes = line.bytes(status: status, bytes: LocalAnswer.length(status, isAnswerToHead: false), at: second)
        for file in files { file.add(bytes) }
    }
}
