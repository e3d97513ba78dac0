/// One limit of how often something may happen: nginx's `limit_req_zone … rate=` with `limit_req … burst= delay= nodelay`.
///
/// A leaky bucket per key. Each request raises the key's excess by one, which drains at ``rate``. As long as the excess is at most ``delayAbove`` the
/// request passes at once; up to ``burst`` it is delayed so that no more than the rate goes through; beyond that it is rejected and leaves no trace.
public struct RateLimit: Hashable, Sendable {
    /// Requests per time, kept in thousandths of a request per second as nginx keeps it.
    public struct Rate: Hashable, Sendable {
        /// Thousandths of a request per second.
        package let perMille: Int64

        /// nginx's `rate=2r/s`; 1 to 1,000,000,000.
        public static func perSecond(_ requests: Int) -> Rate { Rate(requests, scale: 1) }

        /// nginx's `rate=30r/m`; 1 to 1,000,000,000. Rounded down to thousandths of a request per second: 1 per minute becomes 0.016 per second.
        public static func perMinute(_ requests: Int) -> Rate { Rate(requests, scale: 60) }

        private init(_ requests: Int, scale: Int64) {
            self.perMille = (1...1_000_000_000).contains(requests) ? Int64(requests) * 1000 / scale : 0
        }
    }

    /// Which of the requests above the rate are delayed.
    public enum Delay: Hashable, Sendable {
        /// Those whose excess is above this number of requests; the others pass at once. `.above(0)` is nginx's default.
        case above(Int)
        /// None: whatever is within the burst passes at once. nginx's `nodelay`.
        case never
    }

    /// How fast the excess drains.
    public var rate: Rate

    /// Requests above the rate that are taken at all; at least 0.
    public var burst: Int = 0

    /// Which of them are delayed.
    public var delay: Delay = .above(0)

    /// Keys whose excess is remembered at the same time; at least 1. About 100 bytes and the key each.
    ///
    /// Each request with a new key first forgets up to two keys that have been quiet for a minute and have no excess left. See ``whenFull`` for
    /// when there are none.
    public var maximumKeys: Int = 65_536

    /// What happens to a request with a new key when all ``maximumKeys`` are in use.
    public var whenFull: WhenFull = .reject

    /// What happens to a request with a new key when there is no room, and nothing idle to forget.
    public enum WhenFull: Hashable, Sendable {
        /// The request is rejected, as one beyond the burst is (503 in nginx's terms). Nobody under a limit can shake it off by sending so
        /// many keys that theirs is forgotten; the price is that whoever sends many keys shuts out newcomers for up to a minute.
        case reject
        /// The key that was quiet the longest is forgotten, whatever its excess, and the request passes. Newcomers always get in; whoever
        /// commands more keys than ``maximumKeys`` is not limited any more.
        case evictOldest
    }

    public init(
        rate: Rate, burst: Int = 0, delay: Delay = .above(0), maximumKeys: Int = 65_536, whenFull: WhenFull = .reject
    ) {
        self.rate = rate
        self.burst = burst
        self.delay = delay
        self.maximumKeys = maximumKeys
        self.whenFull = whenFull
    }

    func validate() throws(BalancerError) {
        guard self.rate.perMille > 0 else {
            throw .invalidConfiguration("rate", "it must be 1…1,000,000,000 requests per second or minute")
        }
        guard (0...1_000_000_000).contains(self.burst) else { throw .invalidConfiguration("burst", "it must be 0…1,000,000,000") }
        if case .above(let requests) = self.delay, !(0...1_000_000_000).contains(requests) {
            throw .invalidConfiguration("delay", "it must be 0…1,000,000,000")
        }
        guard (1...Int(Int32.max)).contains(self.maximumKeys) else { throw .invalidConfiguration("maximumKeys", "it must be at least 1") }
    }
}
