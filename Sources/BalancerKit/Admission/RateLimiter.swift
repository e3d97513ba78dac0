public import Metrics
public import ScaleCore

/// Limits how often something may happen per key: nginx's `limit_req`, as a call.
///
/// ```swift
/// let limiter = try RateLimiter(.init(rate: .perSecond(10), burst: 20))
/// try await limiter.waitForTurn(key: clientAddress)      // delayed as needed; throws when there are too many
/// ```
///
/// Several limits hold together, each with a memory of its own, such as one per client and one for all: the first that rejects
/// decides, the longest delay applies, and a rejected request counts under none. Keys are hashed with a secret of the process, never logged.
public final class RateLimiter: Sendable {
    private let name: String
    private let time: TimeSource
    private let state: Locked<RateLimitState>
    private let passed: Counter
    private let delayed: Counter
    private let rejected: Counter

    /// - Parameters:
    ///   - limits: those that hold together, in the order in which they are asked.
    ///   - name: what the limiter is called in metrics and errors.
    ///   - metrics: where `ratelimiter.requests` goes, counted by verdict; nothing is the process' own.
    /// - Throws: `BalancerError` with the code `invalidConfiguration`, which names the setting.
    public init(
        limits: [RateLimit], name: String = "limiter", time: TimeSource = .system, metrics: (any MetricsFactory)? = nil
    ) throws(BalancerError) {
        let factory = metrics ?? MetricsSystem.factory
        self.state = Locked(try RateLimitState(limits))
        self.name = name
        self.time = time
        self.passed = Counter(label: "ratelimiter.requests", dimensions: [("limiter", name), ("verdict", "pass")], factory: factory)
        self.delayed = Counter(label: "ratelimiter.requests", dimensions: [("limiter", name), ("verdict", "delay")], factory: factory)
        self.rejected = Counter(label: "ratelimiter.requests", dimensions: [("limiter", name), ("verdict", "reject")], factory: factory)
    }

    /// A limiter with a single limit.
    ///
    /// - Throws: `BalancerError` with the code `invalidConfiguration`, which names the setting.
    public convenience init(_ limit: RateLimit, name: String = "limiter", time: TimeSource = .system) throws(BalancerError) {
        try self.init(limits: [limit], name: name, time: time)
    }

    /// Decides about a request at once and counts it if it passes. Whoever gets a delay has to wait it. O(limits).
    ///
    /// - Parameter key: what the limits tell requests apart by, such as a client's address; an empty key is not limited.
    public func admit(key: String) -> RateLimitVerdict {
        self.admit { $0.admit(key: key, at: $1) }
    }

    /// Decides about a request that has a key of its own under each limit, in the limits' order.
    public func admit(keys: [String]) -> RateLimitVerdict {
        self.admit { $0.admit(keys: keys, at: $1) }
    }

    /// Returns when it is the request's turn.
    ///
    /// - Throws: ``RateLimitExceeded`` at once when there are too many; `CancellationError` when the task is cancelled during the delay, the
    ///   request then still counts.
    public func waitForTurn(key: String) async throws {
        try await self.wait(self.admit(key: key))
    }

    /// Returns when it is the turn of a request that has a key of its own under each limit, in the limits' order.
    ///
    /// - Throws: as ``waitForTurn(key:)``.
    public func waitForTurn(keys: [String]) async throws {
        try await self.wait(self.admit(keys: keys))
    }

    private func admit(_ decide: (inout RateLimitState, Instant) -> RateLimitVerdict) -> RateLimitVerdict {
        let now = self.time.now()
        let verdict = self.state.withLock { decide(&$0, now) }
        switch verdict {
        case .pass: self.passed.increment()
        case .delay: self.delayed.increment()
        case .reject: self.rejected.increment()
        }
        return verdict
    }

    private func wait(_ verdict: RateLimitVerdict) async throws {
        switch verdict {
        case .pass: return
        case .delay(let duration): try await self.time.sleep(for: duration)
        case .reject(let limit): throw RateLimitExceeded(limiter: self.name, limit: limit)
        }
    }
}

/// A request was rejected since there are too many under its key. In HTTP it is answered with 429 (RFC 6585) or, as nginx does, 503.
public struct RateLimitExceeded: Error, Hashable, CustomStringConvertible {
    /// The limiter's name.
    public var limiter: String
    /// Which of its limits rejects, counted from 0.
    public var limit: Int

    public init(limiter: String, limit: Int) {
        self.limiter = limiter
        self.limit = limit
    }

    public var description: String { "too many requests (\(self.limiter), limit \(self.limit))" }
}
