public import QueueKit
public import ScaleCore
public import ScaleTesting

/// The memory broker with a record of what was asked of it, and faults at will. It passes `BrokerConformance` like a real one.
///
/// ```swift
/// broker.faults.failNext(.publish, with: QueueError(code: .unavailable, message: "no broker"))
/// broker.faults.plan(.lostReply(error), .acknowledge)      // done, but the worker does not learn of it
/// broker.duplicateNext(1)                                   // the next message is delivered twice
/// broker.dropLeases()                                       // all workers have crashed before they could acknowledge
/// ```
public final class FakeBroker: Broker {
    /// What can be asked of a broker, as faults name it.
    public enum Operation: Hashable, Sendable {
        case publish, receive, acknowledge, extend, release, retry, deadLetter
    }

    /// Something that the broker did.
    public enum Fact: Hashable, Sendable {
        case published(Message, queue: String, notBefore: UTCTime?, at: UTCTime)
        case leased(Delivery)
        case extended([Lease], refused: Set<Lease>)
        case acknowledged(Lease)
        case released(Lease)
        case retried(Lease, Message, notBefore: UTCTime?)
        case deadLettered(Lease, reason: String)
    }

    public let capabilities: BrokerCapabilities
    public let faults = FaultScript<Operation>()
    public let facts = RecordedFacts<Fact>()

    private let base: MemoryBroker
    private let time: TimeSource
    private let state = Locked(State())

    private struct State {
        var duplicates = 0
        var leases: Set<Lease> = []
        /// Leases whose owners are taken for dead.
        var dropped: Set<Lease> = []
    }

    public init(time: TimeSource) {
        self.time = time
        self.base = MemoryBroker(time: time)
        self.capabilities = self.base.capabilities
    }

    /// Delivers each of the next `count` published messages twice.
    public func duplicateNext(_ count: Int) {
        self.state.withLock { $0.duplicates += max(0, count) }
    }

    /// Lets every owner of a lease crash: whatever they say from now on is refused, and their messages come back when the leases end.
    public func dropLeases() {
        self.state.withLock { state in
            state.dropped.formUnion(state.leases)
            state.leases = []
        }
    }

    /// When the broker next changes by itself.
    package var nextDeadline: Instant? { self.base.nextDeadline }

    public func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try await self.faults.perform(.publish) {
            try await self.base.publish(message, to: queue, notBefore: notBefore)
            self.facts.record(.published(message, queue: queue, notBefore: notBefore, at: self.time.utcNow()))
            let isDoubled = self.state.withLock { state in
                guard state.duplicates > 0 else { return false }
                state.duplicates -= 1
                return true
            }
            if isDoubled { try await self.base.publish(message, to: queue, notBefore: notBefore) }
        }
    }

    public func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        try await self.faults.perform(.receive) {
            let deliveries = try await self.base.receive(request)
            self.state.withLock { $0.leases.formUnion(deliveries.map(\.lease)) }
            for delivery in deliveries { self.facts.record(.leased(delivery)) }
            return deliveries
        }
    }

    public func acknowledge(_ lease: Lease) async throws {
        try await self.faults.perform(.acknowledge) {
            try self.end(lease)
            try await self.base.acknowledge(lease)
            self.facts.record(.acknowledged(lease))
        }
    }

    public func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> {
        try await self.faults.perform(.extend) {
            let dropped = self.state.withLock { $0.dropped.intersection(leases) }
            let ended = try await self.base.extend(leases.filter { !dropped.contains($0) }, by: duration)
            let refused = ended.union(dropped)
            self.facts.record(.extended(leases, refused: refused))
            return refused
        }
    }

    public func release(_ lease: Lease) async throws {
        try await self.faults.perform(.release) {
            try self.end(lease)
            try await self.base.release(lease)
            self.facts.record(.released(lease))
        }
    }

    public func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        try await self.faults.perform(.retry) {
            try self.end(lease)
            try await self.base.retry(lease, with: message, notBefore: notBefore)
            self.facts.record(.retried(lease, message, notBefore: notBefore))
        }
    }

    public func deadLetter(_ lease: Lease, reason: String) async throws {
        try await self.faults.perform(.deadLetter) {
            try self.end(lease)
            try await self.base.deadLetter(lease, reason: reason)
            self.facts.record(.deadLettered(lease, reason: reason))
        }
    }

    public func counts(of queue: String) async throws -> QueueCounts { try await self.base.counts(of: queue) }

    public func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.base.deadLetters(of: queue, limit: limit)
    }

    public func redrive(_ queue: String, limit: Int) async throws -> Int { try await self.base.redrive(queue, limit: limit) }

    public func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> {
        try await self.base.redrive(queue, jobs: jobs)
    }

    public func purge(_ queue: String) async throws -> Int { try await self.base.purge(queue) }

    private func end(_ lease: Lease) throws {
        let isDropped = self.state.withLock { state in
            state.leases.remove(lease)
            return state.dropped.contains(lease)
        }
        if isDropped { throw QueueError.staleLease(lease) }
    }
}
