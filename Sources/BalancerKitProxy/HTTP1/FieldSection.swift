/// The field lines of a head or trailer section: a table of offsets, and what framing and routing need to know of them.
///
/// Lines are checked as they are added (RFC 9112 §5): a token, the colon right behind it, a value without control characters; no folding.
/// The table keeps its storage from one message to the next.
struct FieldSection: Sendable {
    /// A field that may stand only once: not seen, or its index in ``fields``, or seen again.
    enum Single: Equatable, Sendable {
        case absent
        case once(Int)
        case repeated
    }

    /// What becomes of names with an underscore. CGI-like backends read `-` and `_` as the same character, so that such a name could
    /// pose as another; nginx drops them from requests, and so do we.
    enum Underscores: Sendable {
        case dropped
        case kept
    }

    private(set) var fields: [HeaderField] = []
    private(set) var host = Single.absent
    private(set) var contentLength = Single.absent
    private(set) var transferEncoding = Single.absent
    private(set) var authorization = Single.absent
    private(set) var connectionCount = 0
    private(set) var expect = Single.absent
    private(set) var upgrade = Single.absent
    private(set) var forwardedForCount = 0
    private var lineCount = 0

    let maximumCount: Int
    let underscores: Underscores

    init(maximumCount: Int, underscores: Underscores) {
        self.maximumCount = maximumCount
        self.underscores = underscores
    }

    mutating func removeAll() {
        self.fields.removeAll(keepingCapacity: true)
        self.host = .absent
        self.contentLength = .absent
        self.transferEncoding = .absent
        self.authorization = .absent
        self.connectionCount = 0
        self.expect = .absent
        self.upgrade = .absent
        self.forwardedForCount = 0
        self.lineCount = 0
    }

    /// Checks and adds the line in `range`, its CRLF not included. The line is known to be free of control characters.
    mutating func add(_ bytes: UnsafeRawBufferPointer, line range: Range<Int>) throws(HTTPViolation) {
        self.lineCount += 1
        guard self.lineCount <= self.maximumCount else { throw .tooManyFields }
        var colon = range.lowerBound
        var hasUnderscore = false
        while colon < range.upperBound, ByteClass.isToken(bytes[colon]) {
            if bytes[colon] == UInt8(ascii: "_") { hasUnderscore = true }
            colon += 1
        }
        guard colon < range.upperBound else { throw .missingColon }
        guard bytes[colon] == UInt8(ascii: ":") else { throw Self.violation(bytes, range) }
        guard colon > range.lowerBound else { throw .malformedFieldName }
        if hasUnderscore, self.underscores == .dropped { return }
        let name = range.lowerBound..<colon
        let id = KnownField.of(bytes, name)
        self.note(id, index: self.fields.count)
        let value = ByteScan.trimmingBlanks(bytes, (colon + 1)..<range.upperBound)
        self.fields.append(HeaderField(name: name, value: value, id: id))
    }

    private mutating func note(_ id: KnownField, index: Int) {
        switch id {
        case .host: self.host = self.host.seen(at: index)
        case .contentLength: self.contentLength = self.contentLength.seen(at: index)
        case .transferEncoding: self.transferEncoding = self.transferEncoding.seen(at: index)
        case .authorization: self.authorization = self.authorization.seen(at: index)
        case .expect: self.expect = self.expect.seen(at: index)
        case .upgrade: self.upgrade = self.upgrade.seen(at: index)
        case .connection: self.connectionCount += 1
        case .xForwardedFor: self.forwardedForCount += 1
        case .other, .altSvc, .contentType, .cookie, .date, .forwarded, .http2Settings, .keepAlive, .proxyAuthenticate, .proxyAuthorization,
            .proxyConnection, .server, .setCookie, .te, .trailer, .via, .xForwardedHost, .xForwardedProto, .xRealIP,
            .xForwardedOther:
            break
        }
    }

    /// Which rule a line breaks that has no colon right behind its name.
    private static func violation(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> HTTPViolation {
        if ByteClass.isBlank(bytes[range.lowerBound]) { return .foldedLine }
        return bytes[range].contains(UInt8(ascii: ":")) ? .malformedFieldName : .missingColon
    }
}

extension FieldSection.Single {
    fileprivate func seen(at index: Int) -> Self {
        self == .absent ? .once(index) : .repeated
    }
}
