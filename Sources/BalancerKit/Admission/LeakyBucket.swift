/// The excess of one key under one limit, in nginx's integer arithmetic: thousandths of a request and whole milliseconds.
///
/// Source: nginx, `ngx_http_limit_req_module.c`.
struct LeakyBucket: Hashable, Sendable {
    /// Thousandths of a request above the rate, when it was last accounted for.
    private(set) var excess: Int64 = 0
    /// Millisecond of the last accounting.
    private(set) var last: Int64

    /// The bucket of a key that is seen for the first time: its first request is no excess.
    init(at millisecond: Int64) {
        self.last = millisecond
    }

    /// The excess with one more request at `millisecond`, which is not accounted for yet.
    func excess(at millisecond: Int64, perMille rate: Int64) -> Int64 {
        max(0, self.drained(at: millisecond, perMille: rate) + 1000)
    }

    /// Accounts for the request that made the excess `excess`. Time that seems to run backwards does not move the last accounting.
    mutating func account(_ excess: Int64, at millisecond: Int64) {
        self.excess = excess
        if millisecond > self.last { self.last = millisecond }
    }

    /// Whether the key has been quiet for a minute and its excess has drained, so that forgetting it changes nothing.
    func isIdle(at millisecond: Int64, perMille rate: Int64) -> Bool {
        millisecond - self.last >= 60_000 && self.drained(at: millisecond, perMille: rate) <= 0
    }

    /// What is left of the excess at `millisecond`; negative when more could have drained.
    private func drained(at millisecond: Int64, perMille rate: Int64) -> Int64 {
        let elapsed = max(0, millisecond - self.last)
        let (drain, overflow) = elapsed.multipliedReportingOverflow(by: rate)
        return overflow ? -1000 : self.excess - min(drain / 1000, self.excess + 1000)
    }
}
