import BalancerKit
import NIOCore
import ScaleCore

// The search for an upstream that answers.

extension Exchange {
    func pick(at now: Instant) {
        switch self.group.pick(&self.history, preferring: self.binding?.address, at: now) {
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
        connection.begin(self, isHead: self.isHead, mayUpgrade: self.upgrade != nil)
        connection.port.stage(self.head)
        if self.held.readableBytes > 0 { connection.port.stage(self.held) }
        let isWhole = self.body.isFinished
        // A body that is not whole cannot be sent again, so there is no use in keeping its beginning.
        if !isWhole { self.held = ByteBuffer() }
        if isWhole { connection.requestEnded(at: now) }
        connection.port.flush()
        if !isWhole { self.client.updateReading() }
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
            self.report(failure.outcome, at: now)
            self.pick(at: now)
        case .answer(let status):
            self.worker.log.failed(failure, selection.endpoint, isLast: true)
            self.report(failure.outcome, at: now)
            self.giveUp(status: status, endpoint: selection.endpoint, at: now)
        }
    }

    private func giveUp(status: Int, endpoint: Endpoint? = nil, at now: Instant) {
        self.state = .finished
        self.sentBytes = LocalAnswer.length(status, isAnswerToHead: self.isHead)
        self.finish(status: status, endpoint: endpoint, at: now)
        self.client.answer(
            status: status, keepsConnection: self.body.isFinished && self.client.mayPersist(self.clientPersists, at: now),
            isAnswerToHead: self.isHead)
    }

    func detachUpstream() {
        let upstream = self.upstream
        self.upstream = nil
        upstream?.abandon()
    }

    func report(_ outcome: CallOutcome, at now: Instant) {
        guard let selection else { return }
        self.selection = nil
        self.group.report(selection, outcome, at: now)
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
