/// What a request is for: path and query, and in absolute form the authority (RFC 9112 §3.2).
///
/// The bytes are forwarded as they came; what is checked is that no reading of them can leave the root or end early.
struct RequestTarget: Equatable, Sendable {
    /// Path and query. In absolute form the path may be empty, see ``lacksPath``.
    var pathAndQuery: Range<Int>
    /// The path alone.
    var path: Range<Int>
    /// Whether the path is empty, so that `/` stands for it.
    var lacksPath: Bool
    /// Whether the path reads the same decoded: it has no escape, no dot segment and no double slash.
    var isPlain: Bool
    /// The authority of an absolute-form target, which replaces Host.
    var authority: Authority?

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) {
        guard let first = range.first else { throw .malformedTarget }
        var start = range.lowerBound
        if bytes[first] != UInt8(ascii: "/") {
            let (authority, end) = try Self.absoluteForm(bytes, range)
            self.authority = authority
            start = end
        }
        self.pathAndQuery = start..<range.upperBound
        let scan = try Self.scan(bytes, self.pathAndQuery)
        self.path = start..<scan.pathEnd
        self.lacksPath = self.path.isEmpty
        self.isPlain = scan.isPlain
        if !scan.isPlain { try Self.checkPath(bytes, self.path) }
    }

    private static func absoluteForm(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(HTTPViolation) -> (Authority, end: Int) {
        let schemes: [(StaticString, Int)] = [("http://", 7), ("https://", 8)]
        for (scheme, length) in schemes where range.count > length {
            let start = range.lowerBound + length
            guard ByteScan.equals(bytes, range.lowerBound..<start, lowercase: scheme) else { continue }
            let end = (start..<range.upperBound).first { Self.endsAuthority(bytes[$0]) } ?? range.upperBound
            // nginx takes no underscore in the host of a request line, unlike in Host.
            guard !bytes[start..<end].contains(UInt8(ascii: "_")) else { throw .malformedTarget }
            return (try Authority(bytes, start..<end), end)
        }
        throw .malformedTarget
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }

    private static func scan(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(HTTPViolation) -> (pathEnd: Int, isPlain: Bool) {
        var pathEnd = range.upperBound
        var isPlain = true
        var previous: UInt8 = 0
        for index in range {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "#"): throw .fragmentInTarget
            case UInt8(ascii: "\t"): throw .malformedTarget
            case UInt8(ascii: "?"): if pathEnd == range.upperBound { pathEnd = index }
            case UInt8(ascii: "%"): if pathEnd == range.upperBound { isPlain = false }
            case UInt8(ascii: "."), UInt8(ascii: "/"):
                if previous == UInt8(ascii: "/"), pathEnd == range.upperBound { isPlain = false }
            default: break
            }
            previous = byte
        }
        return (pathEnd, isPlain)
    }

    /// Decodes once and follows the segments: escapes must be whole and not name the zero byte, and `..` must not lead above the root.
    private static func checkPath(_ bytes: UnsafeRawBufferPointer, _ path: Range<Int>) throws(HTTPViolation) {
        var segments = PathSegments()
        var index = path.lowerBound
        while index < path.upperBound {
            let byte = try Self.decode(bytes, &index, end: path.upperBound)
            guard segments.add(byte) else { throw .targetAboveRoot }
        }
        guard segments.finish() else { throw .targetAboveRoot }
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer, _ index: inout Int, end: Int) throws(HTTPViolation) -> UInt8 {
        let byte = bytes[index]
        guard byte == UInt8(ascii: "%") else {
            index += 1
            return byte
        }
        guard index + 2 < end, let high = ByteClass.hexadecimal(bytes[index + 1]), let low = ByteClass.hexadecimal(bytes[index + 2]),
            high | low != 0
        else { throw .malformedEscape }
        index += 3
        return high << 4 | low
    }
}

/// Counts how deep a path is, one decoded byte at a time. Empty segments count as none, as nginx merges slashes.
private struct PathSegments {
    private var depth = 0
    private var length = 0
    private var isDots = true

    /// False when the path leads above its root.
    mutating func add(_ byte: UInt8) -> Bool {
        if byte == UInt8(ascii: "/") { return self.finish() }
        self.length += 1
        if byte != UInt8(ascii: ".") { self.isDots = false }
        return true
    }

    mutating func finish() -> Bool {
        defer {
            self.length = 0
            self.isDots = true
        }
        switch (self.length, self.isDots) {
        case (0, _), (1, true): return true
        case (2, true):
            self.depth -= 1
            return self.depth >= 0
        default:
            self.depth += 1
            return true
        }
    }
}
