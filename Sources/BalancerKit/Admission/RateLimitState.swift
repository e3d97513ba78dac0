public import ScaleCore

/// Several limits and what each of them knows of its keys. A value without lock or clock; ``RateLimiter`` is the shell around it.
///
/// A request is looked up under every limit in their order. The first that rejects decides, and then none of them counts the request; if all let
/// it through, all count it and the longest delay applies. O(limits) per request, whatever the number of keys.
///
/// Source: nginx, `ngx_http_limit_req_module.c`.
public struct RateLimitState: Sendable {
    private struct Zone: Sendable {
        let limit: RateLimit
        var buckets: RateLimitZone
    }

    private var zones: [Zone]

    /// Longest key that is limited, in bytes of UTF-8; a longer one is treated as an empty key, as nginx does.
    public static let longestKey = 65_535

    /// - Throws: `BalancerError` with the code `invalidConfiguration`, which names the setting.
    public init(_ limits: [RateLimit]) throws(BalancerError) {
        for limit in limits { try limit.validate() }
        self.zones = limits.map {
            Zone(limit: $0, buckets: RateLimitZone(rate: $0.rate, maximumKeys: $0.maximumKeys, whenFull: $0.whenFull))
        }
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
        self.zones.indices.contains(index) ? self.zones[index].buckets.count : 0
    }

    private mutating func admit(at now: Instant, key: (Int) -> String) -> RateLimitVerdict {
        for index in self.zones.indices where RateLimitZone.limits(key(index)) {
            let burst = self.zones[index].limit.burst
            guard self.zones[index].buckets.lookUp(key(index), burst: burst, at: now) else { return .reject(limit: index) }
        }
        var longest: Int64 = 0
        for index in self.zones.indices where RateLimitZone.limits(key(index)) {
            let delay = self.zones[index].limit.delay
            longest = max(longest, self.zones[index].buckets.account(key(index), delay: delay, at: now))
        }
        return longest == 0 ? .pass : .delay(.milliseconds(longest))
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

extension Instant {
    /// The whole millisecond that this instant lies in, as nginx counts time for limits.
    var wholeMillisecond: Int64 {
        let (quotient, remainder) = self.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
