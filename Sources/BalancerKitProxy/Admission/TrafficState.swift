import BalancerKit
import ScaleCore

/// What the zones of a proxy know of its requests. A value without lock or clock; ``TrafficLimiter`` is the shell around it.
struct TrafficState: Sendable {
    private var requests: [RateLimitZone]
    private var connections: [ConnectionCounts]

    init(_ requests: [RequestZone], _ connections: [ConnectionZone]) {
        self.requests = requests.map { RateLimitZone(rate: $0.rate, maximumKeys: $0.maximumKeys, whenFull: $0.whenFull) }
        self.connections = connections.map { ConnectionCounts(capacity: $0.maximumKeys) }
    }

    /// Looks a request up under all limits, and counts it under all of them only if none rejects it.
    ///
    /// - Parameter keys: one for each limit.
    mutating func admit(_ limits: [PlannedLimits.Request], keys: [String], at now: Instant) -> RateLimitVerdict {
        for (index, limit) in limits.enumerated() where RateLimitZone.limits(keys[index]) {
            guard self.requests[limit.zone].lookUp(keys[index], burst: limit.burst, at: now) else { return .reject(limit: index) }
        }
        var longest: Int64 = 0
        for (index, limit) in limits.enumerated() where RateLimitZone.limits(keys[index]) {
            longest = max(longest, self.requests[limit.zone].account(keys[index], delay: limit.delay, at: now))
        }
        return longest == 0 ? .pass : .delay(.milliseconds(longest))
    }

    /// Counts a request as in flight under all limits, or under none. Returns the index of the limit that rejects it.
    ///
    /// - Parameter keys: one for each limit.
    mutating func enter(_ limits: [PlannedLimits.Connection], keys: [String]) -> Int? {
        for (index, limit) in limits.enumerated() where ConnectionCounts.limits(keys[index]) {
            guard self.connections[limit.zone].enter(keys[index], limit: limit.connections) else {
                self.leave(Array(limits[..<index]), keys: keys)
                return index
            }
        }
        return nil
    }

    /// Takes back what ``enter(_:keys:)`` counted.
    mutating func leave(_ limits: [PlannedLimits.Connection], keys: [String]) {
        for (index, limit) in limits.enumerated() where ConnectionCounts.limits(keys[index]) {
            self.connections[limit.zone].leave(keys[index])
        }
    }

    /// Keys with a request in flight, in all zones.
    var connectionKeyCount: Int { self.connections.reduce(0) { $0 + $1.keyCount } }
}
