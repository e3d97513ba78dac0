/// An answer that is written down in the configuration: nginx's `return`.
public struct FixedAnswer: Sendable, Hashable {
    /// 200…599.
    public var status: Int
    /// Where the client is sent, for a redirection.
    public var location: RequestTemplate?
    /// Whether a location that begins with a slash gets the scheme, the host and the port by which the client came, as nginx's
    /// `absolute_redirect` does.
    public var makesLocationAbsolute = false
    /// The body; nil is the status and its meaning, and with 204 and 304 there is none.
    public var text: RequestTemplate?
    public var contentType = "text/plain"

    public init(status: Int, text: RequestTemplate? = nil) {
        self.status = status
        self.text = text
    }

    /// Sends clients elsewhere.
    public init(redirect status: Int, to location: RequestTemplate) {
        self.status = status
        self.location = location
    }
}

extension FixedAnswer {
    func validate() throws(ProxyError) {
        guard (200...599).contains(self.status) else { throw .invalid("routes", "an answer's status lies in 200…599") }
        guard !self.contentType.isEmpty, self.contentType.utf8.allSatisfy({ $0 > 0x1F && $0 < 0x7F }) else {
            throw .invalid("routes", "a content type is printable ASCII")
        }
    }

    /// Whether the status stands for an answer without a body (RFC 9110 §15.3.5, §15.4.5).
    private var hasNoBody: Bool { self.status == 204 || self.status == 304 }

    /// The answer to one request, without Server, Date and Connection.
    ///
    /// - Parameter port: where the client came in; nil where it is not known.
    func filled(for request: RequestView, port: Int?) -> FilledAnswer {
        var answer = FilledAnswer(status: self.status)
        answer.location = self.location.map { Self.absolute($0.fieldValue(for: request), self.makesLocationAbsolute, request, port) }
        guard !self.hasNoBody else { return answer }
        if let text {
            answer.contentType = self.contentType
            answer.body = text.text(for: request)
        } else {
            answer.contentType = "text/plain; charset=utf-8"
            answer.body = Array("\(self.status) \(HTTPStatus.reason(self.status))\n".utf8)
        }
        return answer
    }

    private static func absolute(_ location: [UInt8], _ makesAbsolute: Bool, _ request: RequestView, _ port: Int?) -> [UInt8] {
        guard makesAbsolute, location.first == UInt8(ascii: "/") else { return location }
        var text = Array((request.isTLS ? "https://" : "http://").utf8)
        request.append(.host, to: &text)
        if let port, port != (request.isTLS ? 443 : 80) { text += ":\(port)".utf8 }
        return text + location
    }
}

/// A fixed answer with its variables filled in.
struct FilledAnswer {
    var status: Int
    var location: [UInt8]?
    var contentType: String?
    var body: [UInt8]?

    init(status: Int) {
        self.status = status
    }

    func write(
        keepsConnection: Bool, isAnswerToHead: Bool, server: ForwardingPolicy.ServerHeader, date: [UInt8], additions: [UInt8] = [],
        to writer: inout HeadWriter
    ) {
        writer.write("HTTP/1.1 ")
        writer.writeNumber(self.status)
        writer.write(" ")
        writer.write(HTTPStatus.reason(self.status))
        writer.write("\r\n")
        if case .replace(let name) = server { writer.write("Server: \(name)\r\n") }
        ResponseFilter.writeDate(date, to: &writer)
        if let contentType { writer.write("Content-Type: \(contentType)\r\n") }
        if let body {
            writer.write("Content-Length: ")
            writer.writeNumber(body.count)
            writer.write("\r\n")
        }
        if let location {
            writer.write("Location: ")
            writer.write(location)
            writer.write("\r\n")
        }
        writer.write(additions)
        writer.write(keepsConnection ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n")
        if let body, !isAnswerToHead { writer.write(body) }
    }
}
