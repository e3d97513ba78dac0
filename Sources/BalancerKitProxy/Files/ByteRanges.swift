/// What a Range field asks for of a file (RFC 9110 §14), read as nginx reads it. A value without I/O.
///
/// Source: `ngx_http_range_parse` in `ngx_http_range_filter_module.c`.
enum ByteRanges: Equatable, Sendable {
    /// The whole file: no range in bytes is asked for, or more of them, or more bytes in all, than is reasonable.
    case whole
    /// These parts, each with at least one byte, in the order in which they were asked for. At least one.
    case parts([Range<Int64>])
    /// None of what is asked for is there, or the field is no list of ranges.
    case unsatisfiable

    /// - Parameters:
    ///   - length: of the file.
    ///   - maximumCount: parts beyond which the whole file is sent.
    init(_ field: [UInt8], length: Int64, maximumCount: Int) {
        let unit = Array("bytes=".utf8)
        guard field.count > unit.count, field.prefix(unit.count).map(ByteClass.lowercased) == unit else {
            self = .whole
            return
        }
        var parts: [Range<Int64>] = []
        var total: Int64 = 0
        for element in field.dropFirst(unit.count).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard let range = Self.range(element, length: length) else {
                self = .unsatisfiable
                return
            }
            guard !range.isEmpty else {
                // Nothing is there to be had: of an empty file all of it.
                if range.lowerBound == 0 {
                    self = .whole
                    return
                }
                continue
            }
            guard parts.count < maximumCount else {
                self = .whole
                return
            }
            parts.append(range)
            let (sum, overflow) = total.addingReportingOverflow(range.upperBound - range.lowerBound)
            total = sum
            guard !overflow, total <= length else {
                self = .whole
                return
            }
        }
        self = parts.isEmpty ? .unsatisfiable : .parts(parts)
    }

    /// `first-last`, `first-` or `-length`; empty where nothing lies in it, nil where it is none.
    private static func range(_ element: ArraySlice<UInt8>, length: Int64) -> Range<Int64>? {
        guard let dash = element.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let (before, after) = (Self.trimmed(element[..<dash]), Self.trimmed(element[(dash + 1)...]))
        if before.isEmpty {
            return Self.number(after).map { max(0, length - $0)..<length }
        }
        guard let first = Self.number(before) else { return nil }
        guard !after.isEmpty else { return first..<max(first, length) }
        guard let last = Self.number(after) else { return nil }
        return first..<max(first, last >= length ? length : last + 1)
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let space = UInt8(ascii: " ")
        let start = text.firstIndex { $0 != space } ?? text.endIndex
        let last = text.lastIndex { $0 != space } ?? text.startIndex
        return start < text.endIndex ? text[start...last] : text[start...]
    }

    /// `1*DIGIT` that fits 63 bits.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.allSatisfy(ByteClass.isDigit) else { return nil }
        var number: Int64 = 0
        for digit in digits {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, alsoOverflow) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !overflow, !alsoOverflow else { return nil }
            number = sum
        }
        return number
    }
}
