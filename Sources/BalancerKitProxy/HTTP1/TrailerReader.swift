/// Reads the trailer section of a chunked body, line by line (RFC 9110 §6.5, RFC 9112 §7.1.2).
///
/// Trailers are rare and short, so they are collected byte by byte. They obey the rules and bounds of header lines.
struct TrailerReader: Sendable {
    /// The lines that passed, each with its CRLF.
    private(set) var accepted: [UInt8] = []
    private var line: [UInt8] = []
    private var length = 0
    private var fieldCount = 0
    private let limits: HeadLimits

    init(limits: HeadLimits) {
        self.limits = limits
    }

    /// Takes one byte. True when it ends the section.
    mutating func read(_ byte: UInt8) throws(HTTPViolation) -> Bool {
        if let last = self.line.last, last == UInt8(ascii: "\r"), byte != UInt8(ascii: "\n") { throw .controlCharacter }
        self.length += 1
        // The closing empty line is not counted, as in a head.
        guard self.length <= self.limits.headerLength || self.isClosing(byte) else { throw .trailersTooLarge }
        guard byte == UInt8(ascii: "\n") else {
            guard !ByteClass.isControl(byte) || byte == UInt8(ascii: "\r") else { throw .controlCharacter }
            self.line.append(byte)
            return false
        }
        guard self.line.popLast() == UInt8(ascii: "\r") else { throw .bareLineFeed }
        if self.line.isEmpty { return true }
        try self.accept()
        self.line.removeAll(keepingCapacity: true)
        return false
    }

    private func isClosing(_ byte: UInt8) -> Bool {
        self.line.isEmpty ? byte == UInt8(ascii: "\r") : self.line.count == 1 && self.line[0] == UInt8(ascii: "\r")
    }

    private mutating func accept() throws(HTTPViolation) {
        self.fieldCount += 1
        guard self.fieldCount <= self.limits.fieldCount else { throw .tooManyFields }
        let length = self.line.count
        let isKept = self.line.withUnsafeBytes { bytes in Result { () throws(HTTPViolation) in try Self.check(bytes, 0..<length) } }
        guard try isKept.get() else { return }
        self.accepted.append(contentsOf: self.line)
        self.accepted.append(contentsOf: [UInt8(ascii: "\r"), UInt8(ascii: "\n")])
    }

    /// Whether the line is kept; false for a name with an underscore, which is dropped.
    private static func check(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPViolation) -> Bool {
        var section = FieldSection(maximumCount: 1, underscores: .dropped)
        try section.add(bytes, line: line)
        guard let field = section.fields.first else { return false }
        guard !field.id.isForbiddenInTrailers else { throw .forbiddenTrailer }
        return true
    }
}

extension KnownField {
    /// Fields that frame, route, authorise or manage the connection have no meaning after the body, and are an attack there (RFC 9110 §6.5.1).
    fileprivate var isForbiddenInTrailers: Bool {
        switch self {
        case .authorization, .connection, .contentLength, .contentType, .cookie, .expect, .forwarded, .host, .http2Settings, .keepAlive,
            .proxyAuthenticate, .proxyAuthorization, .proxyConnection, .setCookie, .te, .trailer, .transferEncoding, .upgrade,
            .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedOther, .xRealIP:
            true
        case .other, .altSvc, .date, .server, .via: false
        }
    }
}
