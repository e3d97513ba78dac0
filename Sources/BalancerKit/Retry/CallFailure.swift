/// What a failed attempt shows: how far it got, and whether the endpoint is to blame.
public struct CallFailure: Hashable, Sendable {
    /// How far an attempt got before it failed, which decides whether another endpoint may get the call.
    public enum Progress: Hashable, Sendable {
        /// The endpoint cannot have seen the request: no connection came about, or nothing was written on it. Always safe to repeat.
        case notSent
        /// The endpoint may have seen the request, and nothing of a response has reached the caller. Safe to repeat if the call is idempotent.
        case sent
        /// Part of a response has reached the caller. Never repeated.
        case responseStarted
    }

    public var progress: Progress

    /// Whether the failure counts toward the endpoint's `maxFails`.
    public var countsAgainstEndpoint: Bool

    public init(_ progress: Progress, countsAgainstEndpoint: Bool = true) {
        self.progress = progress
        self.countsAgainstEndpoint = countsAgainstEndpoint
    }
}

/// An error that knows what it shows of the attempt that threw it. Conform a client's errors to it for exact retries.
public protocol CallFailureError: Error {
    var callFailure: CallFailure { get }
}
