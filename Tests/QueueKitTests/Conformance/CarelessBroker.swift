import QueueKit
import ScaleCore

/// A memory broker with one mistake, which the conformance suite must find.
struct CarelessBroker: Broker {
    enum Mistake: String, CaseIterable, Sendable {
        case acknowledgesNothing
        case acceptsEndedLeases
        case changesBodies
        case countsLeasedAsReady
        case deliversDelayedAtOnce
        case deliversToOtherQueues
        case doesNotSayWhichLeasesEnded
        case dropsDeadLetters
        case exceedsLimit
        case extendsNothing
        case forgetsReasons
        case hidesLosses
        case losesRetries
        case neverWaits
        case purgesNothing
        case redrivesNothing
        case redrivesTheOldestForAny
        case releasesNothing
        case retriesBesideTheOld
        case retriesWithoutDelay
        case reversesOrder
        case takesAnyQueueName
    }

    private let base: MemoryBroker
    private let mistake: Mistake

    init(_ base: MemoryBroker, _ mistake: Mistake) {
        self.base = base
        self.mistake = mistake
    }

    var capabilities: BrokerCapabilities { self.base.capabilities }

    func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        var message = message
        if self.mistake == .changesBodies { message.body.append(32) }
        let queue = self.mistake == .takesAnyQueueName && queue.isEmpty ? "unnamed" : queue
        try await self.base.publish(message, to: queue, notBefore: self.mistake == .deliversDelayedAtOnce ? nil : notBefore)
    }

    func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        var request = request
        switch self.mistake {
        case .neverWaits: request.waits = false
        case .exceedsLimit: request.limit += 1
        case .deliversToOtherQueues: request.queues.append("conformance.other")
        default: break
        }
        let deliveries = try await self.base.receive(request)
        switch self.mistake {
        case .reversesOrder: return deliveries.reversed()
        case .hidesLosses: return deliveries.map { Delivery(lease: $0.lease, message: $0.message, losses: 0) }
        default: return deliveries
        }
    }

    func acknowledge(_ lease: Lease) async throws {
        if self.mistake == .acknowledgesNothing { return }
        do {
            try await self.base.acknowledge(lease)
        } catch let error as QueueError {
            if self.mistake != .acceptsEndedLeases { throw error }
        }
    }

    func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> {
        switch self.mistake {
        case .extendsNothing: return []
        case .doesNotSayWhichLeasesEnded:
            _ = try await self.base.extend(leases, by: duration)
            return []
        default: return try await self.base.extend(leases, by: duration)
        }
    }

    func release(_ lease: Lease) async throws {
        if self.mistake != .releasesNothing { try await self.base.release(lease) }
    }

    func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        switch self.mistake {
        case .losesRetries: try await self.base.acknowledge(lease)
        case .retriesBesideTheOld: try await self.base.publish(message, to: lease.queue, notBefore: notBefore)
        case .retriesWithoutDelay: try await self.base.retry(lease, with: message, notBefore: nil)
        default: try await self.base.retry(lease, with: message, notBefore: notBefore)
        }
    }

    func deadLetter(_ lease: Lease, reason: String) async throws {
        switch self.mistake {
        case .dropsDeadLetters: try await self.base.acknowledge(lease)
        case .forgetsReasons: try await self.base.deadLetter(lease, reason: "")
        default: try await self.base.deadLetter(lease, reason: reason)
        }
    }

    func counts(of queue: String) async throws -> QueueCounts {
        var counts = try await self.base.counts(of: queue)
        if self.mistake == .countsLeasedAsReady { (counts.ready, counts.leased) = (counts.ready + counts.leased, 0) }
        return counts
    }

    func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.base.deadLetters(of: queue, limit: limit)
    }

    func redrive(_ queue: String, limit: Int) async throws -> Int {
        self.mistake == .redrivesNothing ? 0 : try await self.base.redrive(queue, limit: limit)
    }

    func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> {
        guard self.mistake == .redrivesTheOldestForAny else { return try await self.base.redrive(queue, jobs: jobs) }
        _ = try await self.base.redrive(queue, limit: jobs.count)
        return jobs
    }

    func purge(_ queue: String) async throws -> Int {
        self.mistake == .purgesNothing ? 0 : try await self.base.purge(queue)
    }
}
