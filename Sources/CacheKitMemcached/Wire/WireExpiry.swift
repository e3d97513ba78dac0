import CacheKit
import ScaleCore

/// Ends of lives as Memcached's commands take them.
///
/// The server counts whole seconds by a clock that ticks once in a second, so that `n` means between n - 1 and n. A life is never cut short:
/// what is sent is rounded up, and one second more. Records carry their exact end in their head, and whoever reads them looks at it.
enum WireExpiry {
    /// The item is gone as soon as it is stored: a time long past. (A negative number means the same to the server, but proxies and
    /// clients have taken it for a huge positive one.)
    static let past = WireExpiry.longestRelative + 1
    static let never = 0
    /// Up to here a number is a duration, beyond it a time (seconds since 1970).
    private static let longestRelative = 60 * 60 * 24 * 30

    /// - Parameters:
    ///   - end: ms UTC; `Int64.max` for never.
    ///   - now: the present, by the clock by which `end` was made.
    static func seconds(until end: Int64, now: UTCTime) -> Int {
        guard end != .max else { return self.never }
        let (left, overflow) = end.subtractingReportingOverflow(now.millisecondsSinceEpoch)
        guard !overflow else { return end < 0 ? self.past : self.never }
        guard left > 0 else { return self.past }
        let relative = Int(self.roundedUpToSeconds(left)) + 1
        if relative <= self.longestRelative { return relative }
        let absolute = Int(self.roundedUpToSeconds(end)) + 1
        // The server reads 32 bits. Beyond them, in 2038, its own times end.
        return absolute <= Int(Int32.max) ? absolute : self.never
    }

    static func roundedUpToSeconds(_ milliseconds: Int64) -> Int64 {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        return rest > 0 ? seconds + 1 : seconds
    }
}

/// When a counter ends, kept in the item's flags.
///
/// A counter is bare decimals, without a head that could tell, and whoever replaces an item must state its life anew. Flags stay with
/// an item through `incr` and `decr` of other programs.
struct CounterEnd: Hashable, Sendable {
    /// Seconds since 1970; 0 for never.
    let flags: UInt32

    /// Smaller numbers are flags of other programs (pymemcache and pylibmc write 2 for an integer): no end is known.
    private static let firstTime: UInt32 = 1 << 30

    init(flags: UInt32) {
        self.flags = flags >= Self.firstTime ? flags : 0
    }

    init(of life: CacheLife, at now: UTCTime) {
        guard let physical = life.physical else {
            self.init(flags: 0)
            return
        }
        guard physical > .zero else {
            self.init(flags: Self.firstTime)
            return
        }
        let (end, overflow) = now.millisecondsSinceEpoch.addingReportingOverflow(physical.wholeMillisecondsRoundedUp)
        let seconds = overflow ? Int64.max : WireExpiry.roundedUpToSeconds(end)
        // Beyond the year 2106 an end is none; before 2004 it is past in any case.
        self.init(flags: seconds > Int64(UInt32.max) ? 0 : UInt32(max(seconds, Int64(Self.firstTime))))
    }

    func hasPassed(at now: UTCTime) -> Bool {
        self.flags != 0 && Int64(self.flags) * 1000 <= now.millisecondsSinceEpoch
    }

    func expiry(at now: UTCTime) -> Int {
        self.flags == 0 ? WireExpiry.never : WireExpiry.seconds(until: Int64(self.flags) * 1000, now: now)
    }
}
