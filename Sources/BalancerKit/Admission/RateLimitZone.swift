package import ScaleCore

/// What one zone of nginx's `limit_req` knows of its keys: their excess over a rate. How much of it is borne is said with each request, since
/// several places may share a zone with a burst of their own.
///
/// A value without lock or clock. A request is first looked up and then, if it passes everywhere, accounted for. O(1).
package struct RateLimitZone: Sendable {
    private let rate: RateLimit.Rate
    private let whenFull: RateLimit.WhenFull
    private var table: LeakyBucketTable

    package init(rate: RateLimit.Rate, maximumKeys: Int, whenFull: RateLimit.WhenFull) {
        self.rate = rate
        self.whenFull = whenFull
        self.table = LeakyBucketTable(capacity: maximumKeys)
    }

    package var count: Int { self.table.count }

    /// Whether a request with this key is limited at all: nginx skips empty and very long ones.
    package static func limits(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= RateLimitState.longestKey
    }

    /// Whether a request passes, be it delayed. Counts nothing yet, but makes room for a new key.
    package mutating func lookUp(_ key: String, burst: Int, at now: Instant) -> Bool {
        let millisecond = now.wholeMillisecond
        if let bucket = self.table.see(key) {
            return bucket.excess(at: millisecond, perMille: self.rate.perMille) <= Int64(burst) * 1000
        }
        self.forgetIdle(at: millisecond)
        guard self.table.isFull else { return true }
        switch self.whenFull {
        case .evictOldest: self.table.removeOldest()
        case .reject: return false
        }
        return true
    }

    /// Counts a request that passes; the milliseconds of its delay.
    package mutating func account(_ key: String, delay: RateLimit.Delay, at now: Instant) -> Int64 {
        let millisecond = now.wholeMillisecond
        guard var bucket = self.table.see(key) else {
            self.table.store(LeakyBucket(at: millisecond), for: key)
            return 0
        }
        let excess = bucket.excess(at: millisecond, perMille: self.rate.perMille)
        bucket.account(excess, at: millisecond)
        self.table.store(bucket, for: key)
        switch delay {
        case .never: return 0
        case .above(let requests): return max(0, excess - Int64(requests) * 1000) * 1000 / self.rate.perMille
        }
    }

    /// Forgets up to two keys that are idle, so that a table shrinks as fast as it grows and no request pays for many.
    private mutating func forgetIdle(at millisecond: Int64) {
        for _ in 0..<2 {
            guard let oldest = self.table.oldestBucket, oldest.isIdle(at: millisecond, perMille: self.rate.perMille) else { return }
            self.table.removeOldest()
        }
    }
}
