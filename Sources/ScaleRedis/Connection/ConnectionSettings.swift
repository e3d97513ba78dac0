import NIOCore
import ScaleCore

/// The numbers that a connection's rules need.
struct ConnectionSettings: Sendable {
    var connectTimeout: Duration = .seconds(5)
    var commandTimeout: Duration = .seconds(5)
    var idleTimeout: Duration? = .seconds(300)
    var maximumInFlight = 1024
    var maximumWaiting = 65_536
    /// Encoded bytes that may wait for a socket that takes no more.
    var maximumUnwrittenBytes = 4 * 1024 * 1024
    var backoff = RetryPolicy(baseDelay: .milliseconds(50), maximumDelay: .seconds(2), maximumAttempts: nil)
    /// False for a connection whose state on the server (WATCH) must not be lost in silence.
    var reconnects = true
    var greeting = Greeting()

    /// The period of the coarse timer. Every time-out is found late by at most an eighth of the shortest, and by at most 250 ms.
    var tickInterval: TimeAmount {
        let shortest = min(self.connectTimeout, self.commandTimeout, self.idleTimeout ?? .seconds(3600))
        return .nanoseconds(max(5_000_000, min(250_000_000, shortest.wholeNanoseconds / 8)))
    }

    /// A patience without end, for commands that block on the server until something comes.
    static let endless = Duration.nanoseconds(Int64.max / 4)
}
