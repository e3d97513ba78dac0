import NIOCore

/// An answer of the proxy's own: an error status with a short text.
enum LocalAnswer {
    /// - Parameters:
    ///   - isAnswerToHead: whether the text itself is left out.
    ///   - date: the present, as a Date field's value.
    static func write(
        status: Int, keepsConnection: Bool, isAnswerToHead: Bool, server: ForwardingPolicy.ServerHeader, date: [UInt8],
        to buffer: inout ByteBuffer
    ) {
        let reason = HTTPStatus.reason(status)
        buffer.write("HTTP/1.1 ")
        buffer.writeNumber(status)
        buffer.write(" ")
        buffer.write(reason)
        buffer.write("\r\n")
        if case .replace(let name) = server { buffer.writeString("Server: \(name)\r\n") }
        ResponseFilter.writeDate(date, to: &buffer)
        if status == 405 { buffer.write("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n") }
        buffer.write("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
        buffer.writeNumber(reason.utf8CodeUnitCount + 5)
        buffer.write(keepsConnection ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
        guard !isAnswerToHead else { return }
        buffer.writeNumber(status)
        buffer.write(" ")
        buffer.write(reason)
        buffer.write("\n")
    }
}
