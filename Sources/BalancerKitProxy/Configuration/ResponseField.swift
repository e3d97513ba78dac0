/// A field that responses get: nginx's `add_header`.
///
/// `Last-Modified` and `ETag` replace the response's own, or take it away where the value is empty. Any other field comes beside those of the
/// same name that the response has.
public struct ResponseField: Sendable, Hashable {
    public var name: String
    /// Filled in by the request. An empty value sends no such field.
    public var value: RequestTemplate
    /// Whether every response gets it, answers that tell of errors among them: nginx's `always`. Otherwise those with the status 200, 201,
    /// 204, 206, 301, 302, 303, 304, 307 or 308.
    public var isAlways = false

    public init(name: String, value: RequestTemplate, isAlways: Bool = false) {
        self.name = name
        self.value = value
        self.isAlways = isAlways
    }
}

extension ResponseField {
    /// Fields on which framing and the connection's life hang.
    package static let ownNames: Set<String> = [
        "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
    ]

    /// Whether it stands in the place of the response's own.
    package var replaces: Bool { ["last-modified", "etag"].contains(self.name.lowercased()) }

    func validate() throws(ProxyError) {
        guard !self.name.isEmpty, self.name.utf8.allSatisfy(ByteClass.isToken), !Self.ownNames.contains(self.name.lowercased()) else {
            throw .invalid("responses.fields", "the field \(self.name.prefix(60)) cannot be set")
        }
        guard !self.value.description.utf8.contains(where: ByteClass.isControl) else {
            throw .invalid("responses.fields", "a field's value has no control characters: \(self.name.prefix(60))")
        }
    }
}
