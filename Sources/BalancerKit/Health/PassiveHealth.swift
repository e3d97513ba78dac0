import ScaleCore

/// What calls have shown of one endpoint's health, by the rules of nginx's `max_fails` and `fail_timeout`.
///
/// Time counts in whole seconds. Failures add up; at `maxFails` the endpoint rests for `failTimeout`. After the rest one call may probe
/// it: picking it opens a new period, so that nobody else gets in during the next `failTimeout` unless that probe succeeds. A success takes the
/// failures back only in a period that a pick has opened, so never within `failTimeout` of a failure.
///
/// Source: nginx, `ngx_http_upstream_round_robin.c`.
struct PassiveHealth: Hashable, Sendable {
    /// Failures that count.
    private(set) var fails: Int = 0
    /// Second of the last failure.
    private var accessed: Int64 = Self.never
    /// Second at which the running period began: that of the last failure, or of the pick that opened a new one.
    private var checked: Int64 = Self.never

    /// Long before every second that a time source reports, and far enough from the ends for differences not to overflow.
    private static let never = Int64.min / 4

    /// Whether the endpoint rests at `second`.
    func isResting(at second: Int64, rules: Rules) -> Bool {
        rules.maxFails > 0 && self.fails >= rules.maxFails && second - self.checked <= rules.failTimeout
    }

    /// Notes that a call is sent to the endpoint.
    ///
    /// - Returns: for a probe, the beginning of the period before, which ``abandon(_:)`` takes; otherwise nothing.
    mutating func pick(at second: Int64, rules: Rules) -> Probe? {
        guard second - self.checked > rules.failTimeout else { return nil }
        let before = self.checked
        self.checked = second
        return rules.maxFails > 0 && self.fails >= rules.maxFails ? Probe(before: before) : nil
    }

    /// Notes a failed call.
    mutating func fail(at second: Int64) {
        self.fails = min(self.fails + 1, Int(Int32.max))
        self.accessed = second
        self.checked = second
    }

    /// Notes a successful call.
    mutating func succeed() {
        if self.accessed < self.checked { self.fails = 0 }
    }

    /// Takes a probe back that ended without showing anything, so that a cancelled call does not cost the endpoint another rest.
    mutating func abandon(_ probe: Probe) {
        if self.accessed < self.checked, self.fails > 0 { self.checked = probe.before }
    }

    /// The one call that tests an endpoint after its rest.
    struct Probe: Hashable, Sendable {
        fileprivate var before: Int64
    }

    /// An endpoint's `maxFails` and `failTimeout`, the latter in whole seconds.
    struct Rules: Hashable, Sendable {
        var maxFails: Int
        var failTimeout: Int64

        init(_ endpoint: Endpoint) {
            self.maxFails = endpoint.maxFails
            let (seconds, attoseconds) = min(endpoint.failTimeout, .seconds(Int64(Int32.max))).components
            self.failTimeout = attoseconds > 0 ? seconds + 1 : seconds
        }
    }
}

extension Instant {
    /// The whole second that this instant lies in, as nginx counts time for health.
    var wholeSecond: Int64 {
        let (quotient, remainder) = self.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
