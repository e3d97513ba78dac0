extension HTTPDate {
    /// The second since 1970 that a field's value names, in any of the three forms of RFC 9110 §5.6.7; nil for anything else.
    static func seconds(_ field: [UInt8]) -> Int64? {
        let words = String(decoding: field, as: UTF8.self).split(separator: " ")
        switch words.count {
        // Sun, 06 Nov 1994 08:49:37 GMT
        case 6:
            guard words[0].last == ",", words[5] == "GMT" else { return nil }
            return Self.seconds(day: words[1], month: words[2], year: words[3], clock: words[4])
        // Sunday, 06-Nov-94 08:49:37 GMT
        case 4:
            let date = words[1].split(separator: "-")
            guard words[0].last == ",", words[3] == "GMT", date.count == 3, date[2].utf8.count == 2, let short = Self.number(date[2]) else {
                return nil
            }
            return Self.seconds(day: date[0], month: date[1], year: "\(short < 70 ? 2000 + short : 1900 + short)", clock: words[2])
        // Sun Nov  6 08:49:37 1994
        case 5: return Self.seconds(day: words[2], month: words[1], year: words[4], clock: words[3])
        default: return nil
        }
    }

    private static func seconds(day: Substring, month: Substring, year: Substring, clock: Substring) -> Int64? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ $0.utf8.count == 2 }), year.utf8.count == 4, day.utf8.count <= 2,
            let month = Self.months.firstIndex(of: String(month)), let day = Self.number(day), let year = Self.number(year),
            let hour = Self.number(parts[0]), let minute = Self.number(parts[1]), let second = Self.number(parts[2]),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        return Self.days(year: year, month: month + 1, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy(ByteClass.isDigit) else { return nil }
        return Int64(text)
    }

    /// Days since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
    private static func days(year: Int64, month: Int, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
