extension HTTPConversation {
    /// One request on a connection of its own, with what every client sends.
    ///
    /// - Parameters:
    ///   - cookie: the `Cookie` header's value.
    ///   - contentType: of the body; nil sends none.
    ///   - headers: further lines.
    ///   - address: the loopback address to come from.
    static func request(
        _ method: String, _ path: String, _ body: String? = nil, port: Int, cookie: String? = nil,
        contentType: String? = "application/json", headers: [String] = [], from address: String? = nil
    ) async throws -> Answer {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close"] + headers
        if let body {
            lines.append("Content-Length: \(body.utf8.count)")
            if let contentType { lines.append("Content-Type: \(contentType)") }
        }
        if let cookie { lines.append("Cookie: \(cookie)") }
        let text = lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
        return try await Self.with(port: port, from: address) { speaker in
            try await speaker.send(text)
            return try await speaker.answer(hasBody: method != "HEAD")
        }
    }
}
