/// One run of a ``RetryPolicy``: counts the failures and says after each whether, and when, to try again.
///
/// A value without a clock: the runner below drives it, and so does whatever cannot be written as one closure, such as a
/// connection that reconnects.
public struct RetryState: Sendable {
    public enum Decision: Hashable, Sendable {
        /// Try again at this point in time.
        case retry(at: Instant)
        case giveUp(Reason)
    }

    public enum Reason: Hashable, Sendable {
        /// All attempts that the policy allows have failed.
        case attempts
        /// The next attempt would not begin before the deadline.
        case deadline
    }

    public let policy: RetryPolicy
    /// After this point no attempt begins.
    public let deadline: Instant
    /// Failures since the begin or the last ``succeeded()``.
    public private(set) var failures = 0

    /// - Parameter deadline: the caller's own, beside the policy's time limit; the earlier one counts.
    public init(_ policy: RetryPolicy, startingAt now: Instant, deadline: Instant = .distantFuture) {
        self.policy = policy
        self.deadline = min(deadline, policy.timeLimit.map { now.advanced(by: $0) } ?? .distantFuture)
    }

    /// An attempt failed.
    ///
    /// - Parameter minimumDelay: what the server asked for, as in HTTP's `Retry-After`; no earlier attempt is made.
    public mutating func failed(
        at now: Instant, minimumDelay: Duration = .zero, using generator: inout some RandomNumberGenerator
    ) -> Decision {
        let (failures, overflow) = self.failures.addingReportingOverflow(1)
        self.failures = overflow ? self.failures : failures
        if let maximum = self.policy.maximumAttempts, self.failures >= maximum { return .giveUp(.attempts) }
        let delay = max(self.policy.delay(afterFailures: self.failures, using: &generator), minimumDelay)
        let next = now.advanced(by: delay)
        // An attempt that begins at the deadline has no time left; neither has one that would begin in 292 years.
        return next < self.deadline ? .retry(at: next) : .giveUp(.deadline)
    }

    /// An attempt succeeded: the next failure counts as the first again. The deadline stays.
    public mutating func succeeded() {
        self.failures = 0
    }
}
