/// How a response reaches the client.
struct ResponseDelivery: Equatable, Sendable {
    /// The framing towards the client, which may differ from the upstream's.
    var framing: BodyFraming
    /// Whether the client may send another request on its connection.
    var keepsConnection: Bool
    /// Whether the connection switches protocols behind this head.
    var isUpgrade = false
    /// Lines of the proxy's own, with their ends.
    var fields: [UInt8] = []
}

/// Writes the head that a client gets for an upstream's response.
///
/// The fields of the hop go, framing and Connection are our own, Server follows the policy, and Date is added where the upstream sent none
/// (RFC 9110 §6.6.1).
final class ResponseFilter: Sendable {
    let policy: ForwardingPolicy
    private let server: [UInt8]
    private let via: [UInt8]

    init(_ policy: ForwardingPolicy) {
        self.policy = policy
        self.via = policy.via.map { Array(("1.1 " + $0).utf8) } ?? []
        switch policy.serverHeader {
        case .replace(let name): self.server = Array("Server: \(name)\r\n".utf8)
        case .remove, .keep: self.server = []
        }
    }

    /// - Parameters:
    ///   - date: the present, as a Date field's value.
    ///   - changes: what the route adds and takes away.
    func write(
        _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, _ delivery: ResponseDelivery, date: [UInt8], changes: ResponseChanges? = nil,
        to writer: inout HeadWriter
    ) {
        writer.write("HTTP/1.1 ")
        writer.writeNumber(head.status)
        writer.write(" ")
        writer.write(bytes, head.reason)
        writer.write("\r\n")
        writer.write(self.server)
        var hasDate = false
        var copier = FieldCopier(bytes)
        for field in head.fields.fields {
            if field.id == .date { hasDate = true }
            if let changes, changes.removes(bytes, field.name) { continue }
            if self.passes(field, head, bytes) { copier.copy(field, to: &writer) }
        }
        copier.finish(to: &writer)
        if !hasDate { Self.writeDate(date, to: &writer) }
        if !self.via.isEmpty {
            writer.write("Via: ")
            writer.write(self.via)
            writer.write("\r\n")
        }
        if let changes { writer.write(changes.lines) }
        if !delivery.fields.isEmpty { writer.write(delivery.fields) }
        if delivery.isUpgrade { return Self.writeUpgrade(head, bytes, to: &writer) }
        Self.writeFraming(head, bytes, delivery.framing, to: &writer)
        writer.write(delivery.keepsConnection ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n")
    }

    static func writeDate(_ date: [UInt8], to writer: inout HeadWriter) {
        writer.write("Date: ")
        writer.write(date)
        writer.write("\r\n")
    }

    private func passes(_ field: HeaderField, _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
        switch field.id {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .contentLength, .upgrade, .http2Settings,
            .proxyAuthenticate, .proxyAuthorization, .altSvc:
            false
        case .server: self.policy.serverHeader == .keep
        case .setCookie, .contentType, .date: true
        case .other, .authorization, .cookie, .expect, .forwarded, .host, .via, .xForwardedFor, .xForwardedHost, .xForwardedProto,
            .xForwardedOther, .xRealIP:
            !head.connection.nominates(bytes, field.name)
        }
    }

    private static func writeUpgrade(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        if case .once(let index) = head.fields.upgrade {
            writer.write("Upgrade: ")
            writer.write(bytes, head.fields.fields[index].value)
            writer.write("\r\n")
        }
        writer.write("Connection: upgrade\r\n\r\n")
    }

    private static func writeFraming(
        _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, _ framing: BodyFraming, to writer: inout HeadWriter
    ) {
        switch framing {
        case .length(let length):
            writer.write("Content-Length: ")
            writer.writeNumber(length)
            writer.write("\r\n")
        case .chunked: writer.write("Transfer-Encoding: chunked\r\n")
        case .untilClose: break
        case .none:
            // An answer to HEAD and a 304 may state the length that a body would have had; a 204 has none.
            guard head.status != 204, case .once(let index) = head.fields.contentLength else { return }
            writer.write("Content-Length: ")
            writer.write(bytes, head.fields.fields[index].value)
            writer.write("\r\n")
        }
    }
}
