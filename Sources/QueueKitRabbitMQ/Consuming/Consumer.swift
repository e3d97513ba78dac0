internal import Logging
internal import QueueKit
internal import ScaleCore

/// The consuming side: one connection with a consumer per queue, and the ledger of what has come over it.
///
/// Receiving and looking are here; what becomes of messages is in `Consumer+Settling`, the connection and its consumers are in
/// `Consumer+Connection`.
final class Consumer: Sendable {
    struct Configuration: Sendable {
        /// How many messages the server may send ahead; `nil`: twice what workers hold and ask for.
        var prefetch: Int?
        /// How long messages wait here for a worker before they are given back.
        var patience: Duration

        /// Before anybody has asked for messages. 0 is none yet.
        var initialPrefetch: Int { min(max(self.prefetch ?? 0, 0), Self.maximumPrefetch) }
        static let maximumPrefetch = 65_535
    }

    struct Link: Sendable {
        let connection: AMQPConnection
        let settlements: SettlementWriter
    }

    struct State: ReceivingState {
        var ledger: DeliveryLedger
        var receivers = WaitingReceivers()
        /// The queues of the consumers, by consumer tag.
        var queues: [String: String] = [:]
        var lastConsumer: UInt64 = 0
        var link: Link?
        var epoch: UInt64 = 0
        /// The last one that was lost, perhaps before anybody knew that it was there.
        var lostEpoch: UInt64 = 0
        var prefetch: Int
        /// What the channel of the link was told last, which counts for the consumers that begin on it.
        var toldPrefetch = 0
        var isRecovering = false

        mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery] {
            self.ledger.take(request, at: now)
        }

        /// Whether what a request asks for would come by itself.
        func serves(_ request: ReceiveRequest) -> Bool {
            self.link != nil && self.prefetch >= self.neededPrefetch(for: request)
                && request.queues.allSatisfy { self.consumer(of: $0) != nil }
        }

        /// As many as a server can be told, at most.
        func neededPrefetch(for request: ReceiveRequest) -> Int {
            min(self.ledger.heldCount + request.limit, Configuration.maximumPrefetch)
        }

        /// Whether somebody waits for what does not come.
        var needsRecovery: Bool {
            !self.receivers.isClosed
                && self.receivers.requests.contains { request in
                    self.link == nil || request.queues.contains { self.consumer(of: $0) == nil }
                }
        }

        func consumer(of queue: String) -> String? {
            self.queues.first { $0.value.utf8.elementsEqual(queue.utf8) }?.key
        }
    }

    let configuration: Configuration
    let open: AMQPOpener
    let topology: QueueTopology
    let time: TimeSource
    let logger: Logger
    let desk: ReceiverDesk<State>
    /// Serializes what changes consumers.
    let setup = Turnstile()
    /// Publishes a message again, with the losses that it has; returns when the server has it. A cancelled caller gives up.
    let republish: @Sendable (DeliveryLedger.Item) async throws -> Void
    private let alarm: Locked<Alarm?> = Locked(nil)

    init(
        topology: QueueTopology, configuration: Configuration, time: TimeSource, logger: Logger, open: @escaping AMQPOpener,
        republish: @escaping @Sendable (DeliveryLedger.Item) async throws -> Void
    ) {
        self.configuration = configuration
        self.open = open
        self.topology = topology
        self.time = time
        self.logger = logger
        self.republish = republish
        let ledger = DeliveryLedger(startingAt: time.utcNow(), patience: configuration.patience)
        let desk = ReceiverDesk(State(ledger: ledger, prefetch: configuration.initialPrefetch))
        self.desk = desk
        let alarm = Alarm(
            time, nextDeadline: { desk.state.withLock { $0.ledger.nextDeadline } }, fire: { [weak self] in self?.tick() })
        self.alarm.withLock { $0 = alarm }
    }

    func deadlinesChanged() {
        self.alarm.withLock { $0 }?.refresh()
    }

    private func tick() {
        let now = self.time.now()
        let (ended, unwanted) = self.desk.state.withLock { state in
            (state.ledger.expire(at: now), state.ledger.noteUnwanted(at: now))
        }
        for item in ended { Task { await self.returnLost(item) } }
        for queue in unwanted { Task { await self.stopConsuming(queue) } }
    }

    // MARK: Receiving

    func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        guard request.limit > 0 else { return [] }
        try await self.prepare(request)
        guard request.waits else { return try await self.takeNow(request) }
        return try await self.desk.receive(request, on: self.time) {
            self.deadlinesChanged()
            // The connection may have been lost after it was prepared and before anybody waited.
            self.recover()
        }
    }

    /// What is there without waiting. The server's answer to a question comes after all that it sent us before.
    private func takeNow(_ request: ReceiveRequest) async throws -> [Delivery] {
        let deadline = TimeSource.system.now().advanced(by: .seconds(1))
        while true {
            let remaining = try await self.remaining(of: request.queues)
            let now = self.time.now()
            let deliveries = self.desk.state.withLock { $0.take(request, at: now) }
            if !deliveries.isEmpty || remaining == 0 || TimeSource.system.now() >= deadline {
                self.deadlinesChanged()
                return deliveries
            }
            // There are some, which the server is about to send, to us or to somebody else.
            try await TimeSource.system.sleep(for: .milliseconds(5))
        }
    }

    private func remaining(of queues: [String]) async throws -> Int {
        guard let connection = self.desk.state.withLock({ $0.link?.connection }) else { return 0 }
        var count = 0
        do {
            for queue in queues { count += try await connection.declareQueue(queue, passive: true).messages }
        } catch {
            throw error.error()
        }
        return count
    }

    func serveReceivers() {
        self.desk.serve(at: self.time.now())
        self.deadlinesChanged()
    }

    // MARK: Looking

    func extend(_ leases: [Lease], by duration: Duration) -> Set<Lease> {
        let now = self.time.now()
        defer { self.deadlinesChanged() }
        return self.desk.state.withLock { $0.ledger.extend(leases, by: duration, at: now) }
    }

    func counts(of queue: String) -> (waiting: Int, held: Int) {
        self.desk.state.withLock { ($0.ledger.waitingCount(of: queue), $0.ledger.heldCount(of: queue)) }
    }

    // MARK: Ending

    /// Turns receivers away, gives back what no worker has, and closes the connection: what workers hold is others' then.
    func shutdown(within limit: Duration) async {
        self.desk.close(QueueError.brokerClosed)
        let deadline = TimeSource.system.now().advanced(by: limit)
        // A server that does not answer holds nobody up for longer than that.
        _ = try? await before(deadline, on: .system) { await self.giveBackWaiting(until: deadline) }
        let connection = self.desk.state.withLock { state in
            defer { state.link = nil }
            state.ledger.lost(epoch: state.epoch)
            return state.link?.connection
        }
        self.deadlinesChanged()
        await connection?.close()
    }
}
