/// A point on a time source's monotonic timeline, in nanoseconds.
///
/// Instants of one ``TimeSource`` compare and subtract; the origin has no meaning, and instants never leave the process.
/// Arithmetic saturates: a deadline that lies further away than the timeline reaches becomes ``distantFuture``, never a trap.
public struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the time source's own origin.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than every instant that a time source reports; a deadline of `distantFuture` never passes.
    public static let distantFuture = Instant(nanoseconds: .max)

    /// The instant `duration` later (earlier when negative); saturates at the ends of the timeline.
    public func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        guard overflow else { return Instant(nanoseconds: sum) }
        return duration < .zero ? Instant(nanoseconds: .min) : .distantFuture
    }

    /// The time from this instant to `other`; negative when `other` is earlier.
    public func duration(to other: Instant) -> Duration {
        .nanoseconds(other.nanoseconds) - .nanoseconds(self.nanoseconds)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

/// A point in UTC, for what leaves the process: cookies, `eta` headers, stored expiries, certificates.
///
/// It may jump with the machine's clock, so nothing that must be ordered or bounded inside the process is decided by it.
public struct UTCTime: Comparable, Hashable, Sendable {
    /// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX). Reaches from the year 1677 to 2262.
    public var nanosecondsSinceEpoch: Int64

    public init(nanosecondsSinceEpoch: Int64) {
        self.nanosecondsSinceEpoch = nanosecondsSinceEpoch
    }

    /// A time from milliseconds since 1970; saturates beyond the years 1677 and 2262.
    public init(millisecondsSinceEpoch: Int64) {
        let (nanoseconds, overflow) = millisecondsSinceEpoch.multipliedReportingOverflow(by: 1_000_000)
        self.nanosecondsSinceEpoch = overflow ? (millisecondsSinceEpoch < 0 ? .min : .max) : nanoseconds
    }

    /// Whole milliseconds since 1970, rounded down.
    public var millisecondsSinceEpoch: Int64 {
        let (quotient, remainder) = self.nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Seconds since 1970 with fraction, as Celery's events and cookies' dates want them.
    public var secondsSinceEpoch: Double {
        Double(self.nanosecondsSinceEpoch) / 1e9
    }

    /// The time `duration` later (earlier when negative); saturates.
    public func advanced(by duration: Duration) -> UTCTime {
        let (sum, overflow) = self.nanosecondsSinceEpoch.addingReportingOverflow(duration.wholeNanoseconds)
        guard overflow else { return UTCTime(nanosecondsSinceEpoch: sum) }
        return UTCTime(nanosecondsSinceEpoch: duration < .zero ? .min : .max)
    }

    /// The time from this point to `other`; negative when `other` is earlier.
    public func duration(to other: UTCTime) -> Duration {
        .nanoseconds(other.nanosecondsSinceEpoch) - .nanoseconds(self.nanosecondsSinceEpoch)
    }

    public static func < (left: UTCTime, right: UTCTime) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }
}
