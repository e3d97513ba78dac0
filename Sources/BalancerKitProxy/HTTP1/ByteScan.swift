#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Searches over the raw bytes of a head.
enum ByteScan {
    /// The offset of the first line feed in `range`, or nil.
    @inline(__always) static func lineFeed(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard let base = bytes.baseAddress, !range.isEmpty else { return nil }
        guard let found = memchr(base + range.lowerBound, 0x0A, range.count) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// The offset of the first control character in `range`, HTAB excepted, or nil.
    ///
    /// Eight bytes at a time, the last eight overlapping those before, so that nearly no line is looked at byte by byte.
    static func control(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard let base = bytes.baseAddress, range.count >= 8 else { return Self.firstControl(in: bytes, range) }
        let last = range.upperBound - 8
        var index = range.lowerBound
        while true {
            if Self.mayHoldControl((base + index).loadUnaligned(as: UInt64.self)) {
                if let found = Self.firstControl(in: bytes, index..<(index + 8)) { return found }
            }
            guard index < last else { return nil }
            index = min(index + 8, last)
        }
    }

    private static func firstControl(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        for index in range where ByteClass.isControl(bytes[index]) { return index }
        return nil
    }

    /// Whether one of eight bytes is below 0x20, HTAB among them, or DEL. Never misses one (Warren, "Hacker's Delight", §6-1).
    @inline(__always) private static func mayHoldControl(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let below = (word &- ones &* 0x20) & ~word
        let delete = word ^ (ones &* 0x7F)
        return (below | ((delete &- ones) & ~delete)) & tops != 0
    }

    /// Whether the bytes of `range` spell `text` without regard to ASCII case; `text` is in lower case.
    static func equals(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, lowercase text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let expected = text.utf8Start
        for offset in 0..<range.count where ByteClass.lowercased(bytes[range.lowerBound + offset]) != expected[offset] {
            return false
        }
        return true
    }

    /// Whether the bytes of two ranges are the same without regard to ASCII case.
    static func equals(_ bytes: UnsafeRawBufferPointer, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count
        where ByteClass.lowercased(bytes[left.lowerBound + offset]) != ByteClass.lowercased(bytes[right.lowerBound + offset]) {
            return false
        }
        return true
    }

    /// `range` without the SP and HTAB at both of its ends.
    @inline(__always) static func trimmingBlanks(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, ByteClass.isBlank(bytes[lower]) { lower += 1 }
        while upper > lower, ByteClass.isBlank(bytes[upper - 1]) { upper -= 1 }
        return lower..<upper
    }

    /// Calls `body` for each element of a comma-separated list, blanks trimmed, empty elements left out (RFC 9110 §5.6.1).
    static func forEachElement(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        for index in range where bytes[index] == UInt8(ascii: ",") {
            let element = Self.trimmingBlanks(bytes, start..<index)
            if !element.isEmpty { body(element) }
            start = index + 1
        }
        let element = Self.trimmingBlanks(bytes, start..<range.upperBound)
        if !element.isEmpty { body(element) }
    }
}
