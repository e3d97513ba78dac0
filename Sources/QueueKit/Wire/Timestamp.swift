package import ScaleCore

/// ISO 8601 date-times as Python's `datetime.isoformat()` writes and Celery reads them.
///
/// Calendar arithmetic is the proleptic Gregorian calendar by days since 1970, after Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
package enum Timestamp {
    /// `2026-11-24T02:12:33.750195+00:00`: UTC, microseconds, no fraction when it is zero.
    package static func text(_ time: UTCTime) -> String {
        let microseconds = time.nanosecondsSinceEpoch.dividedRoundingDown(by: 1000)
        let seconds = microseconds.dividedRoundingDown(by: 1_000_000)
        let fraction = microseconds - seconds * 1_000_000
        let days = seconds.dividedRoundingDown(by: 86_400)
        let ofDay = seconds - days * 86_400
        let (year, month, day) = Self.civil(fromDays: days)
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
        let clock = "\(Self.padded(ofDay / 3600, 2)):\(Self.padded(ofDay / 60 % 60, 2)):\(Self.padded(ofDay % 60, 2))"
        return "\(date)T\(clock)\(fraction == 0 ? "" : "." + Self.padded(fraction, 6))+00:00"
    }

    /// Reads a date-time; without an offset it is UTC; `Z`, a missing fraction and a blank in place of `T` are accepted, and so is
    /// a date alone (midnight). `nil` when it is none of these; beyond the years 1677 and 2262 it saturates.
    package static func parse(_ text: String) -> UTCTime? {
        var reader = Reader(bytes: Array(text.utf8))
        guard let year = reader.number(digits: 4), reader.take("-"), let month = reader.number(digits: 2), reader.take("-"),
            let day = reader.number(digits: 2), (1...12).contains(month), (1...Self.length(ofMonth: month, year: year)).contains(day)
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard !reader.isAtEnd else { return Self.time(seconds: days * 86_400, nanoseconds: 0) }
        guard reader.take("T") || reader.take(" "), let hour = reader.number(digits: 2), hour < 24, reader.take(":"),
            let minute = reader.number(digits: 2), minute < 60
        else { return nil }
        var second: Int64 = 0
        var nanoseconds: Int64 = 0
        if reader.take(":") {
            guard let value = reader.number(digits: 2), value <= 60 else { return nil }
            second = value
            if reader.take(".") || reader.take(",") {
                guard let fraction = reader.fraction() else { return nil }
                nanoseconds = fraction
            }
        }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        return Self.time(seconds: days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: nanoseconds)
    }

    private static func time(seconds: Int64, nanoseconds: Int64) -> UTCTime {
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(nanoseconds)
        return UTCTime(nanosecondsSinceEpoch: overflow || carry ? (seconds < 0 ? .min : .max) : sum)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func length(ofMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.dividedRoundingDown(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.dividedRoundingDown(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { self.position == self.bytes.count }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard self.position < self.bytes.count, self.bytes[self.position] == UInt8(ascii: scalar) else { return false }
            self.position += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard self.position < self.bytes.count, (0x30...0x39).contains(self.bytes[self.position]) else { return nil }
            defer { self.position += 1 }
            return Int64(self.bytes[self.position] - 0x30)
        }

        mutating func number(digits: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let digit = self.digit() else { return nil }
                value = value * 10 + digit
            }
            return value
        }

        /// Nanoseconds of any number of fraction digits; what is finer is cut off.
        mutating func fraction() -> Int64? {
            guard var value = self.digit() else { return nil }
            var scale: Int64 = 100_000_000
            value *= scale
            while let digit = self.digit() {
                scale /= 10
                value += digit * scale
            }
            return value
        }

        /// Seconds east of UTC; zero when the text ends here.
        mutating func offset() -> Int64? {
            if self.isAtEnd || self.take("Z") || self.take("z") { return 0 }
            let sign: Int64
            if self.take("+") { sign = 1 } else if self.take("-") { sign = -1 } else { return nil }
            guard let hours = self.number(digits: 2), hours < 24 else { return nil }
            if self.isAtEnd { return sign * hours * 3600 }
            _ = self.take(":")
            guard let minutes = self.number(digits: 2), minutes < 60 else { return nil }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}

extension Int64 {
    fileprivate func dividedRoundingDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
