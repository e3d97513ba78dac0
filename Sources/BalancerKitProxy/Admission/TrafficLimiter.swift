import BalancerKit
import ScaleCore

/// The zones of a proxy, shared by all event loops: their value behind one lock, so that a request counts under all its limits or none.
final class TrafficLimiter: Sendable {
    private let state: Locked<TrafficState>

    init(_ configuration: ProxyConfiguration) {
        self.state = Locked(TrafficState(configuration.requestZones, configuration.connectionZones))
    }

    func admit(_ limits: [PlannedLimits.Request], keys: [String], at now: Instant) -> RateLimitVerdict {
        self.state.withLock { $0.admit(limits, keys: keys, at: now) }
    }

    /// Counts a request as in flight until the lease is released; the index of the limit that rejects it otherwise.
    func enter(_ limits: [PlannedLimits.Connection], keys: [String]) -> Result<ConnectionLease, RejectedByLimit> {
        if let index = self.state.withLock({ $0.enter(limits, keys: keys) }) { return .failure(RejectedByLimit(index: index)) }
        return .success(ConnectionLease(self, limits, keys))
    }

    fileprivate func leave(_ limits: [PlannedLimits.Connection], keys: [String]) {
        self.state.withLock { $0.leave(limits, keys: keys) }
    }
}

struct RejectedByLimit: Error {
    let index: Int
}

/// A request's place among those in flight.
final class ConnectionLease {
    private let limiter: TrafficLimiter
    private let limits: [PlannedLimits.Connection]
    private let keys: [String]
    private var isReleased = false

    fileprivate init(_ limiter: TrafficLimiter, _ limits: [PlannedLimits.Connection], _ keys: [String]) {
        self.limiter = limiter
        self.limits = limits
        self.keys = keys
    }

    /// The first call counts.
    func release() {
        guard !self.isReleased else { return }
        self.isReleased = true
        self.limiter.leave(self.limits, keys: self.keys)
    }
}
