internal import DequeModule
internal import ScaleCore

/// The rules by which one queue is relayed: what to do next, and what follows from how it went. A value; ``QueueRelay`` does it.
///
/// **Order.** One message is under way at a time: the next one is published after the one before it has been confirmed and acknowledged, or
/// buried. Messages are taken by ``ReceiveRequest/inOrder``, hence not while anybody else holds some: a relay that was killed has left
/// leases behind, and what they hold comes first. When one of those that are held is lost, the rest is given back, and all begins anew.
///
/// **Loss.** A message leaves the source by an acknowledgement after its confirm, or by being buried there. Every other way leaves it.
struct RelayEngine: Sendable {
    enum Step: Equatable, Sendable {
        case receive
        case publish(Delivery)
        case acknowledge(Lease)
        case bury(Lease, reason: String)
        case release([Lease])
        /// Wait for a time that grows with the number of failures.
        case pause(failures: Int)
        case stop
    }

    enum Publication: Equatable, Sendable {
        case confirmed
        /// The destination will never take it.
        case refused(reason: String)
        /// It may take it another time, and it may have it already.
        case failed
    }

    enum Settlement: Equatable, Sendable {
        case done
        /// The lease had ended: the message comes again.
        case lost
        case failed
    }

    private enum Phase {
        case idle
        case publishing
        /// The first message is at its destination.
        case confirmed
        case refused(reason: String)
        case givingBack
    }

    private var phase = Phase.idle
    /// What was taken and is not settled, in order.
    private var held: Deque<Delivery> = []
    private var heldUntil = Instant.distantFuture
    private var hasLostLease = false
    private var failures = 0
    private var mustPause = false
    private(set) var isStopping = false

    /// What is to be kept from ending.
    var leases: [Lease] { self.held.map(\.lease) }

    mutating func nextStep(at now: Instant) -> Step {
        while true {
            if self.mustPause, !self.isStopping { return .pause(failures: self.failures) }
            switch self.phase {
            case .idle:
                return self.isStopping ? .stop : .receive
            case .publishing:
                guard let first = self.held.first else {
                    self.phase = .idle
                    continue
                }
                if !self.mayGoOn(at: now) { continue }
                return .publish(first)
            case .confirmed:
                guard let first = self.held.first else {
                    self.phase = .idle
                    continue
                }
                return .acknowledge(first.lease)
            case .refused(let reason):
                guard let first = self.held.first else {
                    self.phase = .idle
                    continue
                }
                return .bury(first.lease, reason: reason)
            case .givingBack:
                if !self.held.isEmpty { return .release(Array(self.held.map(\.lease))) }
                self.phase = .idle
            }
        }
    }

    /// Whether another message may be published; else what is held is given back.
    private mutating func mayGoOn(at now: Instant) -> Bool {
        if !self.isStopping, !self.hasLostLease, now < self.heldUntil { return true }
        self.phase = .givingBack
        return false
    }

    // MARK: What happened

    mutating func shutdown() { self.isStopping = true }

    mutating func paused() { self.mustPause = false }

    /// The source did not answer.
    mutating func sourceFailed() { self.fail() }

    /// - Parameter until: when the leases end.
    mutating func received(_ deliveries: [Delivery], until: Instant) {
        self.held = Deque(deliveries)
        self.heldUntil = until
        self.hasLostLease = false
        self.failures = 0
        self.phase = deliveries.isEmpty ? .idle : .publishing
    }

    mutating func extended(until: Instant, lost: Set<Lease>) {
        self.heldUntil = until
        if self.held.contains(where: { lost.contains($0.lease) }) { self.hasLostLease = true }
    }

    mutating func published(_ publication: Publication) {
        switch publication {
        case .confirmed:
            self.failures = 0
            self.phase = .confirmed
        case .refused(let reason):
            self.failures = 0
            self.phase = .refused(reason: reason)
        case .failed:
            self.fail()
        }
    }

    /// The first message was acknowledged or buried, or not.
    mutating func settled(_ settlement: Settlement) {
        switch settlement {
        case .done:
            _ = self.held.popFirst()
            self.failures = 0
            self.phase = .publishing
        case .lost:
            // It comes again, and what follows it waits for that.
            _ = self.held.popFirst()
            self.phase = .givingBack
        case .failed:
            self.fail()
            if self.isStopping {
                _ = self.held.popFirst()
                self.phase = .givingBack
            }
        }
    }

    /// What was held was given back; what could not be comes back when its lease ends.
    mutating func released() {
        self.held = []
        self.phase = .idle
    }

    private mutating func fail() {
        self.failures = min(self.failures, 1_000_000) + 1
        self.mustPause = true
    }
}
