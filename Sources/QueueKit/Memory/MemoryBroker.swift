public import ScaleCore

/// A broker inside the process: for one process's own background work, for development and for tests.
///
/// Messages are gone when the process ends. Waiting workers are woken by what is published; a timer exists only while somebody waits
/// *and* a message is delayed or leased, so an idle worker costs nothing.
public final class MemoryBroker: Broker {
    private let time: TimeSource
    private let desk: ReceiverDesk<MemoryBrokerState>
    private let alarm: Alarm

    public let capabilities = BrokerCapabilities(ordersByPriority: true, keepsOrder: true)

    /// - Parameter maximumDeadLetters: how many dead letters a queue keeps; the oldest make room for the newest.
    public init(time: TimeSource = .system, maximumDeadLetters: Int = 10_000) {
        self.time = time
        let desk = ReceiverDesk(MemoryBrokerState(engine: MemoryBrokerEngine(maximumDeadLetters: maximumDeadLetters)))
        self.desk = desk
        self.alarm = Alarm(
            time,
            nextDeadline: { desk.state.withLock { $0.receivers.isEmpty ? nil : $0.engine.nextDeadline } },
            fire: { desk.serve(at: time.now()) })
    }

    public func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try QueueName.validate(queue)
        let due = self.instant(notBefore)
        try self.change { engine, now in engine.publish(message, to: queue, notBefore: due, at: now) }
    }

    public func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        guard request.waits else { return try self.change { engine, now in engine.take(request, at: now) } }
        return try await self.desk.receive(request, on: self.time) { [alarm] in alarm.refresh() }
    }

    public func acknowledge(_ lease: Lease) async throws {
        try self.change { engine, now throws(QueueError) in try engine.acknowledge(lease, at: now) }
    }

    public func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> {
        try self.change { engine, now in engine.extend(leases, by: duration, at: now) }
    }

    public func release(_ lease: Lease) async throws {
        try self.change { engine, now throws(QueueError) in try engine.release(lease, at: now) }
    }

    public func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        let due = self.instant(notBefore)
        try self.change { engine, now throws(QueueError) in try engine.retry(lease, with: message, notBefore: due, at: now) }
    }

    public func deadLetter(_ lease: Lease, reason: String) async throws {
        let utc = self.time.utcNow()
        try self.change { engine, now throws(QueueError) in try engine.deadLetter(lease, reason: reason, at: now, utc: utc) }
    }

    public func counts(of queue: String) async throws -> QueueCounts {
        try self.change { engine, now in engine.counts(of: queue, at: now) }
    }

    public func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try self.change { engine, _ in engine.deadLetters(of: queue, limit: limit) }
    }

    public func redrive(_ queue: String, limit: Int) async throws -> Int {
        try self.change { engine, now in engine.redrive(queue, limit: limit, at: now) }
    }

    public func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> {
        try self.change { engine, now in engine.redrive(queue, jobs: jobs, at: now) }
    }

    public func purge(_ queue: String) async throws -> Int {
        try self.change { engine, _ in engine.purge(queue) }
    }

    /// Refuses every further call, and ends those that wait, with ``QueueError/Code/closed``.
    public func shutdown() {
        self.desk.close(Self.closed)
        self.alarm.refresh()
    }

    /// When the broker next changes by itself: a delayed message is due, or a lease may end.
    package var nextDeadline: Instant? {
        self.desk.state.withLock { $0.engine.nextDeadline }
    }

    private static let closed = QueueError(code: .closed, message: "the broker has been shut down")

    /// Delays are given in UTC, since they travel in messages, and kept on the monotonic timeline, which no change of the clock moves.
    private func instant(_ time: UTCTime?) -> Instant? {
        time.map { self.time.now().advanced(by: self.time.utcNow().duration(to: $0)) }
    }

    private func change<Value: Sendable>(
        _ event: (inout MemoryBrokerEngine, Instant) throws(QueueError) -> Value
    ) throws(QueueError) -> Value {
        let now = self.time.now()
        let value = try self.desk.state.withLock { state throws(QueueError) in
            guard !state.receivers.isClosed else { throw Self.closed }
            return try event(&state.engine, now)
        }
        self.desk.serve(at: now)
        self.alarm.refresh()
        return value
    }
}

/// What the alarm holds on to as well, so that it does not keep the broker itself alive.
private struct MemoryBrokerState: ReceivingState {
    var engine: MemoryBrokerEngine
    var receivers = WaitingReceivers()

    mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery] {
        self.engine.take(request, at: now)
    }
}
