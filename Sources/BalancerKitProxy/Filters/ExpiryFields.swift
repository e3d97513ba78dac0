/// What Expires and Cache-Control say (`ngx_http_set_expires`).
struct ExpiryFields: Equatable {
    /// The last second of the year 9999, beyond which HTTP has no dates.
    private static let last: Int64 = 253_402_300_799

    /// Of Expires.
    let second: Int64
    /// Of Cache-Control; nil is `no-cache`.
    let maximumAge: Int64?

    /// Nil where nothing is said.
    ///
    /// - Parameter modified: the second of the response's Last-Modified, which may be anything.
    init?(_ expiry: ResponseExpiry, modified: Int64?, at now: Int64) {
        switch expiry {
        case .off: return nil
        case .epoch: self.init(second: 1, maximumAge: nil)
        case .max: self.init(second: 2_145_916_555, maximumAge: 315_360_000)
        case .after(let duration): self.init(duration.components.seconds, after: now, at: now)
        case .afterModification(let duration):
            // nginx takes no time at all for one after the response.
            let seconds = duration.components.seconds
            self.init(seconds, after: seconds == 0 ? now : modified ?? now, at: now)
        case .atTimeOfDay(let time):
            let next = LocalTime.next(secondOfDay: time.components.seconds, after: now)
            self.init(second: next, maximumAge: max(0, next - now))
        }
    }

    private init(_ seconds: Int64, after start: Int64, at now: Int64) {
        let (sum, overflow) = start.addingReportingOverflow(seconds)
        let second = min(max(0, overflow ? (start < 0 ? 0 : Self.last) : sum), Self.last)
        let age = second - now
        self.init(second: second, maximumAge: seconds < 0 || age < 0 ? nil : age)
    }

    private init(second: Int64, maximumAge: Int64?) {
        self.second = second
        self.maximumAge = maximumAge
    }
}
