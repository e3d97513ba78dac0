/// The protocol version of a start line: `HTTP/1.` and one digit (RFC 9112 §2.3).
enum HTTPVersion {
    /// Whether the version is 1.1 or a later 1.x, as opposed to 1.0.
    static func isHTTP11(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) -> Bool {
        let prefix: StaticString = "HTTP/"
        guard range.count == 8, Self.starts(bytes, range, prefix), bytes[range.lowerBound + 6] == UInt8(ascii: ".") else {
            throw .malformedVersion
        }
        let major = bytes[range.lowerBound + 5]
        let minor = bytes[range.lowerBound + 7]
        guard ByteClass.isDigit(major), ByteClass.isDigit(minor) else { throw .malformedVersion }
        guard major == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return minor != UInt8(ascii: "0")
    }

    /// The name of the protocol is compared with regard to case.
    private static func starts(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ prefix: StaticString) -> Bool {
        (0..<prefix.utf8CodeUnitCount).allSatisfy { bytes[range.lowerBound + $0] == prefix.utf8Start[$0] }
    }
}
