#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Lines and decimals in what a server sent.
enum ReplyLine {
    /// Longer than any line of a reply: a key, three numbers and their names take some 300 bytes.
    static let maximumLength = 1024

    /// The length of the line at the start of `bytes` without its end (`\r\n`); `nil` when it has not all come.
    static func length(_ bytes: UnsafeRawBufferPointer) throws(ReplyFault) -> Int? {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return nil }
        guard let end = memchr(start, 0x0A, min(bytes.count, self.maximumLength)) else {
            if bytes.count >= self.maximumLength { throw .foreign }
            return nil
        }
        let length = UnsafeRawPointer(end) - start - 1
        guard length >= 0, bytes[length] == 0x0D else { throw .foreign }
        return length
    }

    /// The decimal that begins at `position` and ends at a space or with the line; moves behind it, and behind that space.
    static func decimal(_ line: UnsafeRawBufferPointer, _ position: inout Int) throws(ReplyFault) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        while position < line.count, line[position] != 0x20 {
            let digit = line[position] &- 0x30
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard digit <= 9, !overflow, !carry else { throw .foreign }
            value = sum
            position += 1
        }
        guard position > start else { throw .foreign }
        if position < line.count { position += 1 }
        return value
    }
}
