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
    var backoff = ReconnectBackoff()
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

/// How long to rest after an attempt to connect has failed: exponential with full jitter.
///
/// Full jitter (a rest drawn evenly from zero to the bound) spreads the clients of a restarted server best; see "Exponential Backoff
/// And Jitter", AWS Architecture Blog, 2015.
struct ReconnectBackoff: Sendable {
    var base: Duration = .milliseconds(50)
    var cap: Duration = .seconds(2)

    /// The rest after `failures` failures in a row; `jitter` is drawn from 0..<1.
    func rest(failures: Int, jitter: Double) -> Duration {
        var bound = self.base
        for _ in 1..<max(1, min(failures, 32)) where bound < self.cap { bound = bound + bound }
        return .nanoseconds(Int64(Double(min(bound, self.cap).wholeNanoseconds) * min(max(jitter, 0), 1)))
    }
}
