internal import ScaleCore

/// How often jobs of a task may begin in one worker: `10/s`, `100/m`, `2.5/h`; a number alone counts by the second.
struct TaskRate: Hashable, Sendable {
    /// The least time from one beginning to the next. Zero for rates beyond one in a nanosecond.
    let interval: Duration

    /// A rate that is none.
    enum Invalid: Error, Hashable {
        /// What stands before the slash is no number.
        case number(String)
        /// What stands behind it is neither `s`, `m` nor `h`.
        case unit(String)
        /// Less than nothing, no finite number, or less than one in ten years.
        case range
    }

    private static let longestInterval = 10 * 366 * 86_400.0

    /// `nil` for a rate of zero, which is no limit, as with Celery.
    static func parse(_ text: String) throws(Invalid) -> TaskRate? {
        // Longer than any number that somebody means, and short enough to be read.
        guard text.utf8.count <= 64 else { throw .number(text) }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let seconds: Double
        switch parts.count > 1 ? parts[1] : "s" {
        case "s", "": seconds = 1
        case "m": seconds = 60
        case "h": seconds = 3600
        default: throw .unit(String(parts[1]))
        }
        let number = parts[0]
        // Not Swift's other notations, such as hexadecimal ones.
        guard !number.isEmpty, number.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }), let count = Double(number) else {
            throw .number(String(number))
        }
        return try Self.of(count, in: seconds)
    }

    /// So many in so many seconds.
    static func of(_ count: Double, in seconds: Double = 1) throws(Invalid) -> TaskRate? {
        guard count.isFinite, count >= 0 else { throw .range }
        if count == 0 { return nil }
        let interval = seconds / count
        guard interval <= Self.longestInterval else { throw .range }
        return TaskRate(interval: Duration(saturatingSeconds: interval))
    }
}
