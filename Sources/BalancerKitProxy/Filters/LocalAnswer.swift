import NIOCore

/// An answer of the proxy's own: an error status with a short text.
enum LocalAnswer {
    /// Bytes of the text.
    static func length(_ status: Int, isAnswerToHead: Bool) -> Int {
        isAnswerToHead ? 0 : HTTPStatus.reason(status).utf8CodeUnitCount + 5
    }

    /// - Parameters:
    ///   - isAnswerToHead: whether the text itself is left out.
    ///   - date: the present, as a Date field's value.
    ///   - fields: lines of the answer's own, with their ends.
    ///   - additions: lines that it gets besides.
    static func write(
        status: Int, keepsConnection: Bool, isAnswerToHead: Bool, server: ForwardingPolicy.ServerHeader, date: [UInt8],
        fields: [UInt8] = [], additions: [UInt8] = [], to buffer: inout ByteBuffer
    ) {
        buffer.writeHead(estimate: 512) { writer in
            Self.write(
                status: status, keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead, server: server, date: date,
                fields: fields, additions: additions, to: &writer)
        }
    }

    private static func write(
        status: Int, keepsConnection: Bool, isAnswerToHead: Bool, server: ForwardingPolicy.ServerHeader, date: [UInt8],
        fields: [UInt8], additions: [UInt8], to writer: inout HeadWriter
    ) {
        let reason = HTTPStatus.reason(status)
        writer.write("HTTP/1.1 ")
        writer.writeNumber(status)
        writer.write(" ")
        writer.write(reason)
        writer.write("\r\n")
        if case .replace(let name) = server { writer.write("Server: \(name)\r\n") }
        ResponseFilter.writeDate(date, to: &writer)
        writer.write(fields)
        writer.write(additions)
        if status == 405, fields.isEmpty { writer.write("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n") }
        writer.write("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
        writer.writeNumber(Self.length(status, isAnswerToHead: false))
        writer.write(keepsConnection ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
        guard !isAnswerToHead else { return }
        writer.writeNumber(status)
        writer.write(" ")
        writer.write(reason)
        writer.write("\n")
    }
}
