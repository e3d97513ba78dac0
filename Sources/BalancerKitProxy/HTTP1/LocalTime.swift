#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Times by the clock of this machine's time zone.
enum LocalTime {
    /// When a time of the day comes next (`ngx_next_time`); the present where the system knows no such time.
    static func next(secondOfDay: Int64, after second: Int64) -> Int64 {
        guard var parts = Self.parts(of: second), let clock = Int32(exactly: secondOfDay), (0...86_400).contains(clock) else {
            return second
        }
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock / 3600, clock / 60 % 60, clock % 60)
        // Where the clock is put forward or back is for the system to find out.
        parts.tm_isdst = -1
        var today = parts
        let next = mktime(&today)
        if next > second { return Int64(next) }
        parts.tm_mday += 1
        let tomorrow = mktime(&parts)
        return tomorrow > second ? Int64(tomorrow) : second
    }

    static func parts(of second: Int64) -> tm? {
        guard var time = time_t(exactly: second) else { return nil }
        var parts = tm()
        return localtime_r(&time, &parts) == nil ? nil : parts
    }
}
