#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// When to try again: exponentially growing waits with full jitter, up to a cap, a number of attempts and a time limit.
///
/// After the n-th failed attempt the wait is drawn evenly from zero to `min(maximumDelay, baseDelay · multiplierⁿ⁻¹)`. Full jitter
/// spreads the callers that failed together over the whole interval, which costs the least work and the least time of the usual
/// schemes (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
///
/// Any values are allowed, also those out of a configuration file: what makes no sense is read as the nearest that does (no
/// negative waits, at least one attempt), and nothing overflows.
///
/// ```swift
/// let reply = try await RetryPolicy(maximumAttempts: 5).run { attempt in try await client.get("/profiles") }
/// ```
public struct RetryPolicy: Hashable, Sendable {
    /// How a wait is drawn below its ceiling.
    public enum Jitter: Hashable, Sendable {
        /// The ceiling itself. Callers that fail together come back together.
        case none
        /// Evenly from half of the ceiling to the ceiling: never much too early.
        case equal
        /// Evenly from zero to the ceiling.
        case full
    }

    /// The ceiling of the first wait. 100 ms by default; much less, and a server that restarts sees all attempts at once.
    public var baseDelay: Duration = .milliseconds(100)
    /// The ceiling of every wait. 20 s by default.
    public var maximumDelay: Duration = .seconds(20)
    /// By how much the ceiling grows with each failure. 2 by default; below 1, the waits would shrink, and 1 is taken.
    public var multiplier: Double = 2
    /// Full by default.
    public var jitter: Jitter = .full
    /// How many attempts in all, the first among them; `nil` for no end. 3 by default.
    public var maximumAttempts: Int? = 3
    /// How long after its begin a run may still start an attempt; `nil`, the default, for no end.
    public var timeLimit: Duration?

    /// The default policy: three attempts, waits below 100 ms and 200 ms.
    public init() {}

    public init(
        baseDelay: Duration = .milliseconds(100), maximumDelay: Duration = .seconds(20), multiplier: Double = 2, jitter: Jitter = .full,
        maximumAttempts: Int? = 3, timeLimit: Duration? = nil
    ) {
        self.baseDelay = baseDelay
        self.maximumDelay = maximumDelay
        self.multiplier = multiplier
        self.jitter = jitter
        self.maximumAttempts = maximumAttempts
        self.timeLimit = timeLimit
    }

    /// One attempt only.
    public static let never = RetryPolicy(maximumAttempts: 1)

    /// No end of attempts: for a connection that is to come back whenever its server does.
    public static let forever = RetryPolicy(maximumAttempts: nil)

    /// The longest wait after the `failures`-th failed attempt, counted from 1.
    public func maximumDelay(afterFailures failures: Int) -> Duration {
        guard failures > 0 else { return .zero }
        let factor = pow(max(self.multiplier.isNaN ? 1 : self.multiplier, 1), Double(failures - 1))
        let base = max(self.baseDelay.fractionalSeconds, 0)
        // 0 · ∞ is not a number, which becomes zero: no wait stays no wait.
        return min(Duration(saturatingSeconds: base * factor), max(self.maximumDelay, .zero))
    }

    /// A wait after the `failures`-th failed attempt, drawn with `generator`.
    public func delay(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let ceiling = self.maximumDelay(afterFailures: failures).wholeNanoseconds
        switch self.jitter {
        case .none: return .nanoseconds(ceiling)
        case .equal: return .nanoseconds(Int64.random(in: ceiling / 2...ceiling, using: &generator))
        case .full: return .nanoseconds(Int64.random(in: 0...ceiling, using: &generator))
        }
    }
}
