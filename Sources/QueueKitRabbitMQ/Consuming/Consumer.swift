internal import Logging
internal import QueueKit
internal import ScaleCore

/// The consuming side: one connection with a consumer per queue, and the ledger of what has come over it.
///
/// A connection that is lost is made again, with its consumers, for as long as somebody wants messages. A consumer that the server cancels,
/// because its queue was deleted, begins again on a queue that is declared anew.
final class Consumer: Sendable {
    private struct Waiter {
        let id: UInt64
        let request: ReceiveRequest
        let continuation: CheckedContinuation<[Delivery], any Error>
    }

    private struct State {
        var ledger: DeliveryLedger
        var waiters: [Waiter] = []
        /// Waiters that were cancelled before they had parked.
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
        /// The queues of the consumers, by consumer tag.
        var queues: [String: String] = [:]
        var connection: AMQPConnection?
        var epoch: UInt64 = 0
        var prefetch = 0
        var isRecovering = false
        var isClosed = false
    }

    /// What the alarm holds on to.
    private final class Shared: Sendable {
        let state: Locked<State>

        init(_ state: State) {
            self.state = Locked(state)
        }
    }

    private let open: AMQPOpener
    private let topology: QueueTopology
    private let time: TimeSource
    private let logger: Logger
    private let shared: Shared
    private let republish: @Sendable (DeliveryLedger.Item) async throws -> Void
    private let alarm: Alarm
    /// Serializes what changes consumers.
    private let setup = Turnstile()

    /// - Parameter republish: publishes a message again, with the losses that it has; returns when the server has it.
    init(
        topology: QueueTopology, prefetch: Int?, time: TimeSource, logger: Logger, open: @escaping AMQPOpener,
        republish: @escaping @Sendable (DeliveryLedger.Item) async throws -> Void
    ) {
        self.open = open
        self.topology = topology
        self.time = time
        self.logger = logger
        self.republish = republish
        let shared = Shared(State(ledger: DeliveryLedger(startingAt: time.utcNow()), prefetch: min(max(prefetch ?? 0, 0), 65_535)))
        self.shared = shared
        self.alarm = Alarm(
            time, nextDeadline: { shared.state.withLock { $0.ledger.nextDeadline } },
            fire: {
                let ended = shared.state.withLock { $0.ledger.expire(at: time.now()) }
                for item in ended { Task { await Self.giveBack(item, shared, republish) } }
            })
    }

    // MARK: Receiving

    func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        guard request.limit > 0 else { return [] }
        try await self.prepare(request)
        return request.waits ? try await self.wait(for: request) : try await self.takeNow(request)
    }

    /// What is there without waiting. The server's answer to a question comes after all that it sent us before.
    private func takeNow(_ request: ReceiveRequest) async throws -> [Delivery] {
        let deadline = TimeSource.system.now().advanced(by: .seconds(1))
        while true {
            let remaining = try await self.remaining(of: request.queues)
            let deliveries = self.take(request)
            if !deliveries.isEmpty || remaining == 0 || TimeSource.system.now() >= deadline { return deliveries }
            // There are some, which the server is about to send, to us or to somebody else.
            try await TimeSource.system.sleep(for: .milliseconds(5))
        }
    }

    private func remaining(of queues: [String]) async throws -> Int {
        guard let connection = self.shared.state.withLock({ $0.connection }) else { return 0 }
        var count = 0
        do {
            for queue in queues { count += try await connection.declareQueue(queue, passive: true).messages }
        } catch {
            throw error.error()
        }
        return count
    }

    private func take(_ request: ReceiveRequest) -> [Delivery] {
        let now = self.time.now()
        let deliveries = self.shared.state.withLock { $0.ledger.take(request, at: now) }
        if !deliveries.isEmpty { self.alarm.refresh() }
        return deliveries
    }

    private func wait(for request: ReceiveRequest) async throws -> [Delivery] {
        let id = self.shared.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        defer { self.shared.state.withLock { _ = $0.cancelled.remove(id) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { self.park(Waiter(id: id, request: request, continuation: $0)) }
        } onCancel: {
            self.cancel(id)
        }
    }

    private func park(_ waiter: Waiter) {
        let now = self.time.now()
        let answer: Result<[Delivery], any Error>? = self.shared.state.withLock { state in
            if state.cancelled.remove(waiter.id) != nil { return .failure(CancellationError()) }
            if state.isClosed { return .failure(QueueError.brokerClosed) }
            let deliveries = state.ledger.take(waiter.request, at: now)
            if !deliveries.isEmpty { return .success(deliveries) }
            state.waiters.append(waiter)
            return nil
        }
        if let answer { waiter.continuation.resume(with: answer) }
        self.alarm.refresh()
    }

    private func cancel(_ id: UInt64) {
        let waiter: Waiter? = self.shared.state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }

    private func serveWaiters() {
        let now = self.time.now()
        let served: [(Waiter, [Delivery])] = self.shared.state.withLock { state in
            var served: [(Waiter, [Delivery])] = []
            state.waiters.removeAll { waiter in
                let deliveries = state.ledger.take(waiter.request, at: now)
                if !deliveries.isEmpty { served.append((waiter, deliveries)) }
                return !deliveries.isEmpty
            }
            return served
        }
        guard !served.isEmpty else { return }
        for (waiter, deliveries) in served { waiter.continuation.resume(returning: deliveries) }
        self.alarm.refresh()
    }

    // MARK: Settling

    /// The message of a lease whose owner speaks its last word; ``end(_:)`` or ``resume(_:)`` is to follow.
    func settle(_ lease: Lease) throws(QueueError) -> DeliveryLedger.Item {
        let now = self.time.now()
        return try self.shared.state.withLock { state throws(QueueError) in try state.ledger.settle(lease, at: now) }
    }

    /// Acknowledges the message of a lease and ends the lease.
    func end(_ lease: Lease, _ item: DeliveryLedger.Item) async throws {
        let isKnown = await self.acknowledge(item)
        self.shared.state.withLock { $0.ledger.settled(lease) }
        self.alarm.refresh()
        // The server has the message, and gives it to somebody else.
        guard isKnown else { throw QueueError.staleLease(lease) }
    }

    /// The owner's word could not be carried out.
    func resume(_ lease: Lease) {
        self.shared.state.withLock { $0.ledger.unsettled(lease) }
        self.alarm.refresh()
    }

    /// Removes a message from the server; false when the connection over which it came is gone.
    private func acknowledge(_ item: DeliveryLedger.Item) async -> Bool {
        await Self.settle(.acknowledge(item.tag.number), item, self.shared)
    }

    private static func settle(_ settlement: AMQPConnection.Settlement, _ item: DeliveryLedger.Item, _ shared: Shared) async -> Bool {
        let connection = shared.state.withLock { $0.epoch == item.tag.epoch ? $0.connection : nil }
        guard let connection else { return false }
        do {
            try await connection.settle([settlement])
            return true
        } catch {
            return false
        }
    }

    /// Puts a message back into its queue with one more loss.
    private static func giveBack(
        _ item: DeliveryLedger.Item, _ shared: Shared, _ republish: @Sendable (DeliveryLedger.Item) async throws -> Void
    ) async {
        var lost = item
        lost.losses += 1
        do {
            try await republish(lost)
            _ = await Self.settle(.acknowledge(item.tag.number), item, shared)
        } catch {
            // It comes again, and is counted then.
            _ = await Self.settle(.giveBack(item.tag.number), item, shared)
        }
    }

    func extend(_ leases: [Lease], by duration: Duration) -> Set<Lease> {
        let now = self.time.now()
        defer { self.alarm.refresh() }
        return self.shared.state.withLock { $0.ledger.extend(leases, by: duration, at: now) }
    }

    func counts(of queue: String) -> (waiting: Int, held: Int) {
        self.shared.state.withLock { ($0.ledger.waitingCount(of: queue), $0.ledger.heldCount(of: queue)) }
    }

    /// Removes what waits here for a worker, and returns how many.
    func purge(_ queue: String) async -> Int {
        let items = self.shared.state.withLock { $0.ledger.takeWaiting(of: queue) }
        for item in items { _ = await self.acknowledge(item) }
        return items.count
    }

    func shutdown() async {
        let (waiters, connection) = self.shared.state.withLock { state in
            state.isClosed = true
            defer {
                state.waiters = []
                state.connection = nil
                state.ledger.lost(epoch: state.epoch)
            }
            return (state.waiters, state.connection)
        }
        for waiter in waiters { waiter.continuation.resume(throwing: QueueError.brokerClosed) }
        self.alarm.refresh()
        await connection?.close()
    }

    // MARK: Consumers

    /// Makes sure that the queues of a request have consumers, and that the server may send as many messages as it asks for.
    private func prepare(_ request: ReceiveRequest) async throws {
        let isReady = self.shared.state.withLock { state in
            state.connection != nil && state.prefetch >= state.ledger.count + request.limit
                && request.queues.allSatisfy { queue in state.queues.values.contains { $0.utf8.elementsEqual(queue.utf8) } }
        }
        if isReady { return }
        do {
            do {
                try await self.setup.run { try await self.setUp(request) }
            } catch AMQPFailure.refused(code: 404, _) {
                // Somebody deleted the queue after it was declared and before its consumer began.
                try await self.setup.run { try await self.setUp(request) }
            }
        } catch let failure as AMQPFailure {
            throw failure.error()
        }
    }

    private func setUp(_ request: ReceiveRequest) async throws {
        let connection = try await self.connected()
        let (isGrowing, prefetch, old) = self.shared.state.withLock { state in
            let needed = state.ledger.count + request.limit
            guard state.prefetch < needed else { return (false, state.prefetch, [String: String]()) }
            state.prefetch = min(max(2 * needed, 16), 65_535)
            return (true, state.prefetch, state.queues)
        }
        if isGrowing {
            // A limit counts for consumers that begin after it was set.
            try await connection.setPrefetch(prefetch)
            for (tag, queue) in old {
                try await connection.cancelConsumer(tag)
                self.shared.state.withLock { $0.queues[tag] = nil }
                try await self.begin(queue, on: connection)
            }
        }
        for queue in request.queues {
            let exists = self.shared.state.withLock { $0.queues.values.contains { $0.utf8.elementsEqual(queue.utf8) } }
            if !exists { try await self.begin(queue, on: connection) }
        }
    }

    private func begin(_ queue: String, on connection: AMQPConnection) async throws {
        try await self.topology.declare(queue, on: connection)
        let tag = self.shared.state.withLock { state in
            state.lastWaiter += 1
            let tag = "scalekit-\(state.lastWaiter)"
            state.queues[tag] = queue
            return tag
        }
        do {
            try await connection.consume(queue, tag: tag)
        } catch {
            self.shared.state.withLock { $0.queues[tag] = nil }
            throw error
        }
    }

    private func connected() async throws -> AMQPConnection {
        let (connection, epoch, isClosed) = self.shared.state.withLock { state in
            if state.connection == nil { state.epoch += 1 }
            return (state.connection, state.epoch, state.isClosed)
        }
        guard !isClosed else { throw QueueError.brokerClosed }
        if let connection { return connection }
        let new = try await self.open { [weak self] event in self?.take(event, epoch: epoch) }
        let prefetch = self.shared.state.withLock { $0.prefetch }
        if prefetch > 0 { try await new.setPrefetch(prefetch) }
        let isWanted = self.shared.state.withLock { state in
            guard state.epoch == epoch, !state.isClosed else { return false }
            state.connection = new
            state.queues = [:]
            return true
        }
        guard isWanted else {
            await new.close()
            throw QueueError.brokerClosed
        }
        return new
    }

    // MARK: What comes in

    private func take(_ event: AMQPEvent, epoch: UInt64) {
        switch event {
        case .content(let content):
            if case .deliver(let tag, let consumer, let isRedelivered, _, _) = content.head {
                self.arrived(content, tag: .init(epoch: epoch, number: tag), consumer: consumer, isRedelivered: isRedelivered)
            }
        case .consumerCancelled(let tag):
            let queue = self.shared.state.withLock { $0.epoch == epoch ? $0.queues.removeValue(forKey: tag) : nil }
            if let queue {
                self.logger.warning("the server ended a consumer: its queue is gone", metadata: ["queue": "\(queue)"])
                self.recover()
            }
        case .channelClosed(let code, let text):
            self.logger.warning("the server closed a channel", metadata: ["code": "\(code)", "text": "\(text)"])
            let connection: AMQPConnection? = self.shared.state.withLock { state in
                guard state.epoch == epoch else { return nil }
                // Its deliveries are others' now, and its tags count from one again: another epoch, on another connection.
                state.ledger.lost(epoch: epoch)
                state.queues = [:]
                defer { state.connection = nil }
                return state.connection
            }
            Task { await connection?.close() }
            self.recover()
        case .closed(let failure):
            self.logger.warning("the consuming connection is lost", metadata: ["error": "\(AMQPFailure.words(for: failure))"])
            self.shared.state.withLock { state in
                state.ledger.lost(epoch: epoch)
                if state.epoch == epoch {
                    state.connection = nil
                    state.queues = [:]
                }
            }
            self.recover()
        case .confirmed, .blocked, .unblocked:
            break
        }
    }

    private func arrived(_ content: ContentAssembler.Content, tag: DeliveryLedger.Tag, consumer: String, isRedelivered: Bool) {
        guard let queue = self.shared.state.withLock({ $0.queues[consumer] }) else { return }
        let counted = TransportHeaders.count(TransportHeaders.losses, in: content.message)
        let failed = TransportHeaders.count(TransportHeaders.deliveryCount, in: content.message)
        var item = DeliveryLedger.Item(queue: queue, tag: tag, message: TransportHeaders.strip(content.message), losses: counted)
        switch self.topology.kind {
        case .quorum:
            item.losses = counted &+ failed
        case .classic where isRedelivered:
            // The queue does not count; so the message goes back with one more loss written on it.
            Task { [shared, republish] in await Self.giveBack(item, shared, republish) }
            return
        case .classic:
            break
        }
        self.shared.state.withLock { $0.ledger.arrived(item) }
        self.serveWaiters()
    }

    /// Sets up again what those who wait have asked for.
    private func recover() {
        let isFirst = self.shared.state.withLock { state in
            guard !state.isRecovering, !state.waiters.isEmpty, !state.isClosed else { return false }
            state.isRecovering = true
            return true
        }
        guard isFirst else { return }
        Task { await self.recovering() }
    }

    private func recovering() async {
        var failures = 0
        while true {
            let requests: [ReceiveRequest] = self.shared.state.withLock { state in
                if state.waiters.isEmpty || state.isClosed { state.isRecovering = false }
                return state.isClosed ? [] : state.waiters.map(\.request)
            }
            if requests.isEmpty { return }
            do {
                for request in requests { try await self.prepare(request) }
                self.shared.state.withLock { $0.isRecovering = false }
                return self.serveWaiters()
            } catch {
                failures += 1
                let words = AMQPFailure.words(for: error)
                self.logger.warning("cannot consume", metadata: ["error": "\(words)", "failures": "\(failures)"])
                var random = RandomSource.system
                try? await self.time.sleep(for: RetryPolicy.reconnect.delay(afterFailures: failures, using: &random))
            }
        }
    }
}
