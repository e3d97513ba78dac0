internal import ScaleCore

/// When and how often a job that failed is tried again.
///
/// The wait before retry *n* (counted from 0) is drawn evenly from 0 to `min(maximumDelay, baseDelay · factor^n)`: exponential
/// back-off with *full jitter* (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015), which is also what Celery's
/// `retry_backoff` with `retry_jitter` does. Without jitter, jobs that failed together come back together.
public struct JobRetryPolicy: Hashable, Sendable {
    /// How often a failed job is tried again before it has failed for good. 0: never. Celery's default, and ours, is 3.
    public var maximumRetries = 3
    /// The longest wait before the first retry.
    public var baseDelay: Duration = .seconds(1)
    /// By how much the longest wait grows with each retry; at least 1.
    public var factor = 2.0
    /// The wait never exceeds this. Celery's `retry_backoff_max` is 600 s as well.
    public var maximumDelay: Duration = .seconds(600)
    /// Whether waits are drawn from zero up (full jitter), or are the longest wait itself.
    public var usesJitter = true

    public init(
        maximumRetries: Int = 3, baseDelay: Duration = .seconds(1), factor: Double = 2, maximumDelay: Duration = .seconds(600),
        usesJitter: Bool = true
    ) {
        self.maximumRetries = maximumRetries
        self.baseDelay = baseDelay
        self.factor = factor
        self.maximumDelay = maximumDelay
        self.usesJitter = usesJitter
    }

    /// A job that fails once has failed.
    public static let never = JobRetryPolicy(maximumRetries: 0)

    /// The wait before retry number `retry`, counted from 0.
    ///
    /// - Parameter fraction: an even draw from 0..<1.
    package func delay(beforeRetry retry: Int, fraction: Double) -> Duration {
        let growth = RetryPolicy(baseDelay: self.baseDelay, maximumDelay: self.maximumDelay, multiplier: self.factor)
        let ceiling = growth.maximumDelay(afterFailures: min(max(0, retry), Int.max - 1) + 1)
        return self.usesJitter ? Duration(saturatingSeconds: ceiling.fractionalSeconds * min(max(fraction, 0), 1)) : ceiling
    }
}
