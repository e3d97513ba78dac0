public import Logging
public import Metrics
public import ScaleCore

/// How a ``RedisClient`` connects, waits and bounds itself. Right when empty.
public struct RedisConfiguration: Sendable {
    /// The ACL user; nil is the server's `default` user. A user in the URL takes precedence, and so does a password there: without a
    /// user beside it, it is the `default` user's. A user needs a password, here or in the URL.
    public var user: String?

    /// Sent with `AUTH` on every connection, also with a user that the URL names without a password. A password in the URL takes
    /// precedence.
    public var password: Secret?

    /// Shown by the server's `CLIENT LIST`, and set again on every connection; nil sets none. Default `scalekit`.
    public var clientName: String? = "scalekit"

    /// How long an attempt to connect may take (name look-up, TCP, TLS and greeting together), and how long a caller waits for a
    /// connection before it gets ``RedisError/Code/connectionFailed``. Default 5 s.
    public var connectTimeout: Duration = .seconds(5)

    /// How long a command may take from being written to its reply, and how long a caller waits for its turn to be written.
    /// Default 5 s. A command that takes longer costs the connection: the order of replies could not be trusted any more.
    /// Too small, and one slow command (`KEYS`, a long script) fails its neighbours.
    public var commandTimeout: Duration = .seconds(5)

    /// An unused connection is closed after this time; the next command opens another. Default 5 min, which is below what common
    /// firewalls and load balancers allow; nil never closes.
    public var idleTimeout: Duration? = .seconds(300)

    /// How many replies may be outstanding. Callers beyond it wait in order. Default 1024; more helps only where
    /// throughput times round-trip time is larger.
    public var maximumInFlight = 1024

    /// How many callers may wait for a connection or their turn; callers beyond it get ``RedisError/Code/overloaded``. Default 65,536.
    public var maximumWaiting = 65_536

    /// How many encoded bytes may wait for a socket that takes no more; callers beyond it wait in order. Default 4 MiB.
    public var maximumUnwrittenBytes = 4 * 1024 * 1024

    /// The rests after failed attempts to connect; the failures are counted from the last reply. Attempts are made for as long as
    /// somebody waits, whatever the policy's number of attempts. Default: full jitter below 50 ms, doubled up to 2 s.
    public var backoff = RetryPolicy(baseDelay: .milliseconds(50), maximumDelay: .seconds(2), maximumAttempts: nil)

    /// How large a reply may be.
    public var replyLimits = RedisReplyLimits()

    /// Used by `rediss://` URLs.
    public var tls = RedisTLS()

    /// Gets connection events, with the server's address and never a value. Default: no output.
    public var logger = Logger(label: "scalekit.redis", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Where counters go: `scalekit.redis.commands`, `scalekit.redis.errors`, `scalekit.redis.in_flight` and
    /// `db.client.operation.duration` (from writing to reply, one value for each batch written). Default: the process' `MetricsSystem`.
    public var metricsFactory: (any MetricsFactory)?

    /// Where time-outs take the time from.
    public var time = TimeSource.system

    public init() {}
}
