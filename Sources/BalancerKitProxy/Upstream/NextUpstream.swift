import ScaleCore

/// How an attempt at an upstream failed.
enum UpstreamFailure: Equatable, Sendable {
    case error
    case timeout
    case invalidHeader
    /// It answered, with a status that the rules may count as a failure.
    case status(Int)
}

/// Whether a request goes on to another upstream: nginx's rules for an unbuffered request body.
///
/// A value without I/O: told when an attempt begins and how it failed, it answers what to do. Source: `ngx_http_upstream_next` and
/// `ngx_http_upstream_test_next` in `ngx_http_upstream.c`.
struct NextUpstream: Sendable {
    enum Decision: Equatable, Sendable {
        /// The kept connection had been closed by the upstream meanwhile. That says nothing of the upstream: once more, anew.
        case sameEndpoint
        case nextEndpoint
        /// Give up, with this status.
        case answer(status: Int)
    }

    private let rules: NextUpstreamRules
    private let isNonIdempotent: Bool
    /// Whether a part of the request's body was still to come when the request began, so that it cannot be sent twice.
    private let isStreaming: Bool
    private let startedAt: Instant
    private var triesLeft: Int
    private var isSent = false

    /// - Parameter endpointCount: how many endpoints there are to try.
    init(rules: NextUpstreamRules, endpointCount: Int, isNonIdempotent: Bool, isStreaming: Bool, at now: Instant) {
        self.rules = rules
        self.isNonIdempotent = isNonIdempotent
        self.isStreaming = isStreaming
        self.startedAt = now
        self.triesLeft = rules.tries > 0 ? min(rules.tries, endpointCount) : endpointCount
    }

    /// The request, or its beginning, was written to a connected upstream.
    mutating func sent() {
        self.isSent = true
    }

    /// The running attempt failed before its response head went to the client.
    ///
    /// - Parameter wasReused: whether it was sent on a kept connection that had not answered yet.
    mutating func failed(_ failure: UpstreamFailure, wasReused: Bool, at now: Instant) -> Decision {
        let isStale = wasReused && failure == .error
        if !isStale { self.triesLeft -= 1 }
        let isAllowed = self.triesLeft > 0 && self.allowsAnother(failure, at: now)
        self.isSent = false
        guard isAllowed else { return .answer(status: failure.answer) }
        return isStale ? .sameEndpoint : .nextEndpoint
    }

    /// Whether this response's status is a reason to ask another upstream instead of delivering it.
    func goesOn(after status: Int, at now: Instant) -> Bool {
        self.triesLeft > 1 && NextUpstreamRules.Conditions(status: status) != [] && self.allowsAnother(.status(status), at: now)
    }

    private func allowsAnother(_ failure: UpstreamFailure, at now: Instant) -> Bool {
        var needed = failure.condition
        if self.isSent, self.isNonIdempotent { needed.insert(.nonIdempotent) }
        guard self.rules.conditions.isSuperset(of: needed) else { return false }
        guard !(self.isSent && self.isStreaming) else { return false }
        guard let timeout = self.rules.timeout else { return true }
        return self.startedAt.duration(to: now) < timeout
    }
}

extension UpstreamFailure {
    fileprivate var condition: NextUpstreamRules.Conditions {
        switch self {
        case .error: .error
        case .timeout: .timeout
        case .invalidHeader: .invalidHeader
        case .status(let status): NextUpstreamRules.Conditions(status: status)
        }
    }

    /// What the client is told when this was the last attempt.
    fileprivate var answer: Int {
        switch self {
        case .error, .invalidHeader: 502
        case .timeout: 504
        case .status(let status): status
        }
    }
}

extension NextUpstreamRules.Conditions {
    /// The condition that stands for a status; empty when there is none.
    fileprivate init(status: Int) {
        switch status {
        case 403: self = .http403
        case 404: self = .http404
        case 429: self = .http429
        case 500: self = .http500
        case 502: self = .http502
        case 503: self = .http503
        case 504: self = .http504
        default: self = []
        }
    }
}
