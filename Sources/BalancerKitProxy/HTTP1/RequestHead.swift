/// The methods that a proxy treats differently from others.
enum RequestMethod: Sendable, Equatable {
    case get, head, lock, patch, post
    case other

    /// Whether nginx calls the method non-idempotent: once sent, such a request is not tried again elsewhere.
    var isNonIdempotent: Bool {
        switch self {
        case .post, .lock, .patch: true
        case .get, .head, .other: false
        }
    }

    /// The method in `range`, which is known to be made of `A-Z`, `-` and `_`.
    static func of(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) -> RequestMethod {
        func matches(_ name: StaticString) -> Bool { ByteScan.equals(bytes, range, lowercase: name) }
        switch range.count {
        case 3: return matches("get") ? .get : .other
        case 4: return matches("head") ? .head : matches("post") ? .post : matches("lock") ? .lock : .other
        case 5:
            if matches("trace") { throw .unsupportedMethod }
            return matches("patch") ? .patch : .other
        case 7:
            if matches("connect") { throw .unsupportedMethod }
            return .other
        default: return .other
        }
    }
}

/// A request's head, checked. Ranges are offsets into the bytes that it was read from.
struct RequestHead: Sendable {
    var methodName: Range<Int> = 0..<0
    var method = RequestMethod.other
    var target: RequestTarget?
    var isHTTP11 = true
    var fields: FieldSection
    var connection = ConnectionOptions()
    /// The host that the request is for: of the target in absolute form, else of Host. An HTTP/1.0 request may have none.
    var authority: Authority?
    var framing = BodyFraming.none
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    var expectsContinue = false

    init(limits: HeadLimits) {
        self.fields = FieldSection(maximumCount: limits.fieldCount, underscores: .dropped)
    }

    /// Whether the client wants to keep the connection.
    var persists: Bool { self.connection.persists(isHTTP11: self.isHTTP11) }
}
