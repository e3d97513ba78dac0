/// A host and port as they stand in Host or in an absolute-form target (RFC 9110 §7.2, RFC 3986 §3.2).
struct Authority: Equatable, Sendable {
    /// The name without port and trailing dot; a literal IPv6 address with its brackets.
    var name: Range<Int>
    /// All of it, as sent.
    var text: Range<Int>

    /// Checks and splits an authority.
    ///
    /// A name consists of letters, digits, `-`, `.`, `_`, `~`, has no empty label, and may end with one dot. Userinfo, a path, a comma, white space,
    /// a backslash and bytes above 0x7F all fail by that. A port consists of digits and is at most 65535; it may be empty.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) {
        guard let first = range.first else { throw .malformedHost }
        let nameEnd =
            bytes[first] == UInt8(ascii: "[")
            ? try Self.endOfLiteral(bytes, range) : try Self.endOfName(bytes, range)
        try Self.checkPort(bytes, nameEnd..<range.upperBound)
        let hasTrailingDot = bytes[nameEnd - 1] == UInt8(ascii: ".")
        self.name = first..<(hasTrailingDot ? nameEnd - 1 : nameEnd)
        self.text = range
        guard !self.name.isEmpty else { throw .malformedHost }
    }

    private static func endOfName(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) -> Int {
        var index = range.lowerBound
        var labelStart = index
        while index < range.upperBound, bytes[index] != UInt8(ascii: ":") {
            guard ByteClass.isHostName(bytes[index]) else { throw .malformedHost }
            if bytes[index] == UInt8(ascii: ".") {
                guard index > labelStart else { throw .malformedHost }
                labelStart = index + 1
            }
            index += 1
        }
        guard index > range.lowerBound else { throw .malformedHost }
        return index
    }

    private static func endOfLiteral(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) -> Int {
        var colons = 0
        for index in range.dropFirst() {
            switch bytes[index] {
            case UInt8(ascii: "]"):
                guard colons >= 2 else { throw .malformedHost }
                return index + 1
            case UInt8(ascii: ":"): colons += 1
            case UInt8(ascii: "."): break
            case let byte: guard ByteClass.hexadecimal(byte) != nil else { throw .malformedHost }
            }
        }
        throw .malformedHost
    }

    private static func checkPort(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) {
        guard let colon = range.first else { return }
        guard bytes[colon] == UInt8(ascii: ":") else { throw .malformedHost }
        var port = 0
        for index in range.dropFirst() {
            guard ByteClass.isDigit(bytes[index]) else { throw .malformedHost }
            port = port * 10 + Int(bytes[index] - UInt8(ascii: "0"))
            guard port <= 65_535 else { throw .malformedHost }
        }
    }
}
