/// Reads the trailer section of a chunked body, line by line (RFC 9110 §6.5, RFC 9112 §7.1.2).
///
/// Trailers are rare and short, so they are collected byte by byte. They obey the rules and bounds of header lines, and may set nothing
/// that frames, routes or authorises. What passes is dropped, as in nginx: a recipient may discard trailers, and nobody behind can
/// then be misled by one.
struct TrailerReader: Sendable {
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
        try self.endLine()
        self.line.removeAll(keepingCapacity: true)
        return false
    }

    private func isClosing(_ byte: UInt8) -> Bool {
        self.line.isEmpty ? byte == UInt8(ascii: "\r") : self.line.count == 1 && self.line[0] == UInt8(ascii: "\r")
    }

    private mutating func endLine() throws(HTTPViolation) {
        self.fieldCount += 1
        guard self.fieldCount <= self.limits.fieldCount else { throw .tooManyFields }
        let length = self.line.count
        let result = self.line.withUnsafeBytes { bytes in
            Result { () throws(HTTPViolation) in try Self.check(bytes, 0..<length) }
        }
        try result.get()
    }

    private static func check(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPViolation) {
        var section = FieldSection(maximumCount: 1, underscores: .dropped)
        try section.add(bytes, line: line)
        guard let field = section.fields.first else { return }
        guard !field.id.isForbiddenInTrailers else { throw .forbiddenTrailer }
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
