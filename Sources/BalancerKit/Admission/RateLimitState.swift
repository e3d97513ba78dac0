public import ScaleCore

/// Several limits and what each of them knows of its keys. A value without lock or clock; ``RateLimiter`` is the shell around it.
///
/// A request is looked up under every limit in their order. The first that rejects decides, and then none of them counts the request; if all let
/// it through, all count it and the longest delay applies. O(limits) per request, whatever the number of keys.
///
/// Source: nginx, `ngx_http_limit_req_module.c`.
public struct RateLimitState: Sendable {
    fileprivate struct Zone: Sendable {
        let limit: RateLimit
        var table: LeakyBucketTable
    }

    private var zones: [Zone]

    /// Longest key that is limited, in bytes of UTF-8; a longer one is treated as an empty key, as nginx does.
    public static let longestKey = 65_535

    /// - Throws: `BalancerError` with the code `invalidConfiguration`, which names the setting.
    public init(_ limits: [RateLimit]) throws(BalancerError) {
        for limit in limits { try limit.validate() }
        self.zones = limits.map { Zone(limit: $0, table: LeakyBucketTable(capacity: $0.maximumKeys)) }
    }

    /// Decides about a request whose key is the same under every limit.
    public mutating func admit(key: String, at now: Instant) -> RateLimitVerdict {
        self.admit(at: now) { _ in key }
    }

    /// Decides about a request with a key for each limit, in the limits' order. Under a limit without a key, or whose key is empty, the
    /// request is not limited.
    public mutating func admit(keys: [String], at now: Instant) -> RateLimitVerdict {
        self.admit(at: now) { keys.indices.contains($0) ? keys[$0] : "" }
    }

    /// How many keys the limit at `index` remembers.
    public func keyCount(ofLimit index: Int) -> Int {
        self.zones.indices.contains(index) ? self.zones[index].table.count : 0
    }

    private mutating func admit(at now: Instant, key: (Int) -> String) -> RateLimitVerdict {
        let millisecond = now.wholeMillisecond
        for index in self.zones.indices where Self.isLimited(key(index)) {
            guard self.zones[index].lookUp(key(index), at: millisecond) else { return .reject(limit: index) }
        }
        var longest: Int64 = 0
        for index in self.zones.indices where Self.isLimited(key(index)) {
            longest = max(longest, self.zones[index].account(key(index), at: millisecond))
        }
        return longest == 0 ? .pass : .delay(.milliseconds(longest))
    }

    private static func isLimited(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= Self.longestKey
    }
}

/// What becomes of a request under rate limits.
public enum RateLimitVerdict: Hashable, Sendable {
    /// It goes on at once.
    case pass
    /// It goes on after this time; it is already accounted for.
    case delay(Duration)
    /// It does not go on, and counts under no limit. `limit` is the index of the one that rejects.
    case reject(limit: Int)
}

extension RateLimitState.Zone {
    /// Whether a request passes, be it delayed. Counts nothing yet, but makes room for a new key.
    mutating func lookUp(_ key: String, at millisecond: Int64) -> Bool {
        if let bucket = self.table.see(key) {
            return bucket.excess(at: millisecond, perMille: self.limit.rate.perMille) <= Int64(self.limit.burst) * 1000
        }
        self.forgetIdle(at: millisecond)
        guard self.table.isFull else { return true }
        switch self.limit.whenFull {
        case .evictOldest: self.table.removeOldest()
        case .reject: return false
        }
        return true
    }

    /// Counts a request that passes; the milliseconds of its delay.
    mutating func account(_ key: String, at millisecond: Int64) -> Int64 {
        guard var bucket = self.table.see(key) else {
            self.table.store(LeakyBucket(at: millisecond), for: key)
            return 0
        }
        let rate = self.limit.rate.perMille
        let excess = bucket.excess(at: millisecond, perMille: rate)
        bucket.account(excess, at: millisecond)
        self.table.store(bucket, for: key)
        switch self.limit.delay {
        case .never: return 0
        case .above(let requests): return max(0, excess - Int64(requests) * 1000) * 1000 / rate
        }
    }

    /// Forgets up to two keys that are idle, so that a table shrinks as fast as it grows and no request pays for many.
    private mutating func forgetIdle(at millisecond: Int64) {
        for _ in 0..<2 {
            guard let oldest = self.table.oldestBucket, oldest.isIdle(at: millisecond, perMille: self.limit.rate.perMille) else { return }
            self.table.removeOldest()
        }
    }
}

extension Instant {
    /// The whole millisecond that this instant lies in, as nginx counts time for limits.
    var wholeMillisecond: Int64 {
        let (quotient, remainder) = self.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
