internal import DequeModule
public import ScaleCore

/// A broker inside the process: for one process's own background work, for development and for tests.
///
/// Messages are gone when the process ends. Waiting workers are woken by what is published; a timer exists only while somebody waits
/// *and* a message is delayed or leased, so an idle worker costs nothing.
public final class MemoryBroker: Broker {
    private let time: TimeSource
    private let shared: Shared
    private let alarm: Alarm

    public let capabilities = BrokerCapabilities(ordersByPriority: true)

    /// - Parameter maximumDeadLetters: how many dead letters a queue keeps; the oldest make room for the newest.
    public init(time: TimeSource = .system, maximumDeadLetters: Int = 10_000) {
        self.time = time
        let shared = Shared(maximumDeadLetters: maximumDeadLetters)
        self.shared = shared
        self.alarm = Alarm(
            time,
            nextDeadline: { shared.state.withLock { $0.waiters.isEmpty ? nil : $0.engine.nextDeadline } },
            fire: { shared.serveWaiters(at: time.now()) })
    }

    public func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try QueueName.validate(queue)
        let due = self.instant(notBefore)
        try self.change { engine, now in engine.publish(message, to: queue, notBefore: due, at: now) }
    }

    public func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        guard request.waits else { return try self.change { engine, now in engine.take(request, at: now) } }
        let id = self.shared.newWaiterID()
        defer { self.shared.forgetCancellation(of: id) }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.shared.park(Waiter(id: id, request: request, continuation: continuation), at: self.time.now())
                self.alarm.refresh()
            }
        } onCancel: {
            self.shared.cancel(id)
            self.alarm.refresh()
        }
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

    public func purge(_ queue: String) async throws -> Int {
        try self.change { engine, _ in engine.purge(queue) }
    }

    /// Refuses every further call, and ends those that wait, with ``QueueError/Code/closed``.
    public func shutdown() {
        self.shared.shutdown()
        self.alarm.refresh()
    }

    /// When the broker next changes by itself: a delayed message is due, or a lease may end.
    package var nextDeadline: Instant? {
        self.shared.state.withLock { $0.engine.nextDeadline }
    }

    /// Delays are given in UTC, since they travel in messages, and kept on the monotonic timeline, which no change of the clock moves.
    private func instant(_ time: UTCTime?) -> Instant? {
        time.map { self.time.now().advanced(by: self.time.utcNow().duration(to: $0)) }
    }

    private func change<Value: Sendable>(
        _ event: (inout MemoryBrokerEngine, Instant) throws(QueueError) -> Value
    ) throws(QueueError) -> Value {
        let now = self.time.now()
        let value = try self.shared.change(at: now, event)
        self.shared.serveWaiters(at: now)
        self.alarm.refresh()
        return value
    }
}

/// A worker that waits for a message.
private struct Waiter {
    let id: UInt64
    let request: ReceiveRequest
    let continuation: CheckedContinuation<[Delivery], any Error>
}

/// The broker's state and who waits on it: what the alarm holds on to, so that it does not keep the broker itself alive.
private final class Shared: Sendable {
    struct State {
        var engine: MemoryBrokerEngine
        var waiters: Deque<Waiter> = []
        /// Waiters that were cancelled before they had parked.
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
        var isClosed = false
    }

    let state: Locked<State>

    private static let closed = QueueError(code: .closed, message: "the broker has been shut down")

    init(maximumDeadLetters: Int) {
        self.state = Locked(State(engine: MemoryBrokerEngine(maximumDeadLetters: maximumDeadLetters)))
    }

    func newWaiterID() -> UInt64 {
        self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
    }

    func forgetCancellation(of id: UInt64) {
        self.state.withLock { _ = $0.cancelled.remove(id) }
    }

    func change<Value: Sendable>(
        at now: Instant, _ event: (inout MemoryBrokerEngine, Instant) throws(QueueError) -> Value
    ) throws(QueueError) -> Value {
        try self.state.withLock { state throws(QueueError) in
            guard !state.isClosed else { throw Self.closed }
            return try event(&state.engine, now)
        }
    }

    func park(_ waiter: Waiter, at now: Instant) {
        let answer: Result<[Delivery], any Error>? = self.state.withLock { state in
            if state.cancelled.remove(waiter.id) != nil { return .failure(CancellationError()) }
            if state.isClosed { return .failure(Self.closed) }
            let deliveries = state.engine.take(waiter.request, at: now)
            if !deliveries.isEmpty || waiter.request.limit < 1 { return .success(deliveries) }
            state.waiters.append(waiter)
            return nil
        }
        if let answer { waiter.continuation.resume(with: answer) }
    }

    /// Hands messages to those who wait, first come first served.
    func serveWaiters(at now: Instant) {
        let served: [(Waiter, [Delivery])] = self.state.withLock { state in
            guard !state.waiters.isEmpty else { return [] }
            var served: [(Waiter, [Delivery])] = []
            var waiting: Deque<Waiter> = []
            while let waiter = state.waiters.popFirst() {
                let deliveries = state.engine.take(waiter.request, at: now)
                if deliveries.isEmpty { waiting.append(waiter) } else { served.append((waiter, deliveries)) }
            }
            state.waiters = waiting
            return served
        }
        for (waiter, deliveries) in served { waiter.continuation.resume(returning: deliveries) }
    }

    func cancel(_ id: UInt64) {
        let waiter: Waiter? = self.state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }

    func shutdown() {
        let waiters = self.state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(throwing: Self.closed) }
    }
}
