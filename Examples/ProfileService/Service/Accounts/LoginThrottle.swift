/// Counts failed logins per account, and says when an account has had too many.
///
/// After ``LoginThrottlePolicy/failures`` failures within ``LoginThrottlePolicy/window`` every login to that account is refused,
/// until the oldest of them is older than the window. A refusal is no failure, so that nobody can keep an account shut by
/// knocking at it.
public protocol LoginThrottle: Sendable {
    /// How long this account is still refused, or nil when a login may be tried.
    func refusal(of account: String) async throws -> Duration?

    /// Notes a failed login. Returns a refusal when it came after as many others as are allowed, which happens when several
    /// were tried at once.
    func recordFailure(of account: String) async throws -> Duration?
}

public enum LoginThrottlePolicy {
    static let failures = 10
    static let window = Duration.seconds(60)
}
