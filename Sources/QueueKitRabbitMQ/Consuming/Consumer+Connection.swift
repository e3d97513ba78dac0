internal import Logging
internal import QueueKit
internal import ScaleCore

/// The connection and its consumers.
///
/// A connection that is lost is made again, with its consumers, for as long as somebody wants messages. A consumer that the server cancels,
/// because its queue was deleted, begins again on a queue that is declared anew.
extension Consumer {
    /// Makes sure that the queues of a request have consumers, and that the server may send as many messages as it asks for.
    func prepare(_ request: ReceiveRequest) async throws {
        let isReady = self.desk.state.withLock { $0.serves(request) }
        if isReady { return }
        do {
            do {
                try await self.setup.run { try await self.setUp(request) }
            } catch AMQPFailure.refused(code: 404, _) {
                // Somebody deleted the queue after it was declared and before its consumer began.
                try await self.setup.run { try await self.setUp(request) }
            }
        } catch let failure as AMQPFailure {
            // A shutdown in the middle ends the connection, and is the reason.
            throw self.desk.state.withLock { $0.receivers.isClosed } ? QueueError.brokerClosed : failure.error()
        }
    }

    private func setUp(_ request: ReceiveRequest) async throws {
        let connection = try await self.connected()
        let (isGrowing, prefetch, old) = self.desk.state.withLock { state in
            let needed = state.neededPrefetch(for: request)
            guard state.prefetch < needed else { return (false, state.prefetch, [String: String]()) }
            state.prefetch = min(max(2 * needed, 16), Configuration.maximumPrefetch)
            return (true, state.prefetch, state.queues)
        }
        // It may also have become less. A limit counts for consumers that begin after it was set.
        if self.desk.state.withLock({ $0.toldPrefetch != prefetch }) {
            try await connection.setPrefetch(prefetch)
            self.desk.state.withLock { $0.toldPrefetch = prefetch }
        }
        if isGrowing {
            for (tag, queue) in old {
                try await connection.cancelConsumer(tag)
                self.desk.state.withLock { $0.queues[tag] = nil }
                try await self.begin(queue, on: connection)
            }
        }
        for queue in request.queues where self.desk.state.withLock({ $0.consumer(of: queue) == nil }) {
            try await self.begin(queue, on: connection)
        }
    }

    private func begin(_ queue: String, on connection: AMQPConnection) async throws {
        try await self.topology.declare(queue, on: connection)
        let tag = self.desk.state.withLock { state in
            state.lastConsumer += 1
            let tag = "scalekit-\(state.lastConsumer)"
            state.queues[tag] = queue
            return tag
        }
        do {
            try await connection.consume(queue, tag: tag)
        } catch {
            self.desk.state.withLock { $0.queues[tag] = nil }
            throw error
        }
    }

    private func connected() async throws -> AMQPConnection {
        let (link, epoch, isClosed) = self.desk.state.withLock { state in
            if state.link == nil { state.epoch += 1 }
            return (state.link, state.epoch, state.receivers.isClosed)
        }
        guard !isClosed else { throw QueueError.brokerClosed }
        if let link { return link.connection }
        let new = try await self.open { [weak self] events in self?.take(events, epoch: epoch) }
        let prefetch = self.desk.state.withLock { $0.prefetch }
        do {
            if prefetch > 0 { try await new.setPrefetch(prefetch) }
        } catch {
            await new.close()
            throw error
        }
        let refusal: (any Error)? = self.desk.state.withLock { state in
            if state.receivers.isClosed { return QueueError.brokerClosed }
            // It may be lost already.
            guard state.epoch == epoch, state.lostEpoch != epoch else { return AMQPFailure.lost("it was closed at once") }
            state.link = Link(connection: new, settlements: SettlementWriter(new))
            state.toldPrefetch = prefetch
            state.queues = [:]
            return nil
        }
        if let refusal {
            await new.close()
            throw refusal
        }
        return new
    }

    // MARK: What comes in

    private func take(_ events: [AMQPEvent], epoch: UInt64) {
        var deliveries: [Arrival] = []
        for event in events {
            if case .content(let content) = event {
                if let arrival = Arrival(content, epoch: epoch) { deliveries.append(arrival) }
            } else {
                // In their order: what came before a consumer's end was that consumer's.
                self.arrived(deliveries)
                deliveries = []
                self.take(event, epoch: epoch)
            }
        }
        self.arrived(deliveries)
    }

    private func take(_ event: AMQPEvent, epoch: UInt64) {
        switch event {
        case .consumerCancelled(let tag):
            let queue = self.desk.state.withLock { $0.epoch == epoch ? $0.queues.removeValue(forKey: tag) : nil }
            if let queue {
                self.logger.warning("the server ended a consumer: its queue is gone", metadata: ["queue": "\(queue)"])
                self.recover()
            }
        case .channelClosed(let code, let text):
            self.logger.warning("the server closed a channel", metadata: ["code": "\(code)", "text": "\(text)"])
            // Its deliveries are others' now, and its tags count from one again: another epoch, on another connection.
            let connection = self.forget(epoch)
            Task { await connection?.close() }
            self.recover()
        case .closed(let failure):
            self.logger.warning("the consuming connection is lost", metadata: ["error": "\(AMQPFailure.words(for: failure))"])
            _ = self.forget(epoch)
            self.recover()
        case .content, .confirmed, .blocked, .unblocked:
            break
        }
    }

    /// Nothing of a connection counts any more; returns it when it is the present one.
    private func forget(_ epoch: UInt64) -> AMQPConnection? {
        let connection: AMQPConnection? = self.desk.state.withLock { state in
            state.ledger.lost(epoch: epoch)
            guard state.epoch == epoch else { return nil }
            state.lostEpoch = epoch
            state.queues = [:]
            defer { state.link = nil }
            return state.link?.connection
        }
        self.deadlinesChanged()
        return connection
    }

    /// A message as it has come, read as far as no lock is needed.
    private struct Arrival {
        let tag: DeliveryLedger.Tag
        let consumer: String
        let isRedelivered: Bool
        let message: Message
        let losses: Int
        let failedDeliveries: Int

        init?(_ content: ContentAssembler.Content, epoch: UInt64) {
            guard case .deliver(let tag, let consumer, let isRedelivered, _, _) = content.head else { return nil }
            self.tag = .init(epoch: epoch, number: tag)
            self.consumer = consumer
            self.isRedelivered = isRedelivered
            self.losses = TransportHeaders.count(TransportHeaders.losses, in: content.message)
            self.failedDeliveries = TransportHeaders.count(TransportHeaders.deliveryCount, in: content.message)
            self.message = TransportHeaders.strip(content.message)
        }

        func item(of queue: String) -> DeliveryLedger.Item {
            DeliveryLedger.Item(queue: queue, tag: self.tag, message: self.message, losses: self.losses)
        }
    }

    private func arrived(_ arrivals: [Arrival]) {
        guard !arrivals.isEmpty else { return }
        let now = self.time.now()
        let lost = self.desk.state.withLock { state in
            var lost: [DeliveryLedger.Item] = []
            for arrival in arrivals {
                guard state.epoch == arrival.tag.epoch, let queue = state.queues[arrival.consumer] else { continue }
                var item = arrival.item(of: queue)
                switch self.topology.kind {
                case .classic where arrival.isRedelivered:
                    // The queue does not count; so the message goes back with one more loss written on it.
                    lost.append(item)
                    continue
                case .quorum: item.losses &+= arrival.failedDeliveries
                case .classic: break
                }
                state.ledger.arrived(item, at: now)
            }
            return lost
        }
        for item in lost { Task { await self.returnLost(item) } }
        self.serveReceivers()
    }

    // MARK: Recovery

    /// Sets up again what those who wait have asked for, if it is missing.
    func recover() {
        let isFirst = self.desk.state.withLock { state in
            guard !state.isRecovering, state.needsRecovery else { return false }
            state.isRecovering = true
            return true
        }
        guard isFirst else { return }
        Task { await self.recovering() }
    }

    private func recovering() async {
        var failures = 0
        while true {
            let requests: [ReceiveRequest] = self.desk.state.withLock { state in
                state.isRecovering = state.needsRecovery
                return state.isRecovering ? state.receivers.requests : []
            }
            if requests.isEmpty { return self.serveReceivers() }
            if failures > 0 {
                var random = RandomSource.system
                try? await self.time.sleep(for: RetryPolicy.reconnect.delay(afterFailures: failures, using: &random))
            }
            failures += 1
            do {
                for request in requests { try await self.prepare(request) }
                // Whether that lasted is seen at the top.
            } catch {
                let words = AMQPFailure.words(for: error)
                self.logger.warning("cannot consume", metadata: ["error": "\(words)", "failures": "\(failures)"])
            }
        }
    }
}
