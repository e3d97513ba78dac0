/// When a failed call goes on to another endpoint: nginx's `proxy_next_upstream`, `_tries` and `_timeout`.
///
/// A repeat must be safe in the first place: the request was not sent, or it was and the call is idempotent (RFC 9110, 9.2.2). Within
/// that, the number of attempts and the time since the call began are bounded. A call tries each endpoint at most once.
public struct NextEndpointPolicy: Hashable, Sendable {
    /// Attempts per call, the first one included; 0 is as many as there are endpoints, 1 never repeats.
    public var tries: Int = 0

    /// Time since the call began after which it is not repeated any more; nothing for no limit. A running attempt is not interrupted.
    public var timeout: Duration?

    public init(tries: Int = 0, timeout: Duration? = nil) {
        self.tries = tries
        self.timeout = timeout
    }

    /// Whether a call goes on after a failed attempt.
    ///
    /// - Parameters:
    ///   - attempts: those made, the failed one included.
    ///   - elapsed: time since the call began.
    public func decide(
        after progress: CallFailure.Progress, isIdempotent: Bool, attempts: Int, elapsed: Duration, isCancelled: Bool = false
    ) -> RetryDecision {
        if isCancelled { return .stop(.cancelled) }
        switch progress {
        case .notSent: break
        case .sent: if !isIdempotent { return .stop(.unsafe) }
        case .responseStarted: return .stop(.unsafe)
        }
        if self.tries > 0, attempts >= self.tries { return .stop(.triesExhausted) }
        if let timeout, elapsed >= timeout { return .stop(.timedOut) }
        return .retry
    }

    func validate() throws(BalancerError) {
        guard self.tries >= 0 else { throw .invalidConfiguration("nextEndpoint.tries", "it must not be negative") }
        guard self.timeout ?? .zero >= .zero else { throw .invalidConfiguration("nextEndpoint.timeout", "it must not be negative") }
    }
}

/// Whether a call goes on to another endpoint after a failed attempt.
public enum RetryDecision: Hashable, Sendable {
    /// Why a call is not repeated.
    public enum Reason: String, Hashable, Sendable {
        /// The request may have been carried out and is not idempotent, or part of the response was delivered.
        case unsafe
        /// The call has had as many attempts as the policy allows.
        case triesExhausted
        /// The call has taken longer than the policy allows for a repeat.
        case timedOut
        /// The caller's task was cancelled.
        case cancelled
    }

    case retry
    case stop(Reason)
}
