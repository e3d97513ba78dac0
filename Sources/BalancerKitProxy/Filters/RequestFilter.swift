import NIOCore

/// Writes the head that an upstream gets for a client's request.
///
/// What the proxy sets comes first, in nginx's order: Host, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, framing. The
/// client's fields follow, less those of the hop (RFC 9110 §7.6.1) and those that only a trusted peer may set. Since our own fields are
/// written and not taken over, no Connection option can remove them.
struct RequestFilter: Sendable {
    let policy: ForwardingPolicy
    private let via: [UInt8]

    init(_ policy: ForwardingPolicy) {
        self.policy = policy
        self.via = policy.via.map { Array(("1.1 " + $0).utf8) } ?? []
    }

    func write(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, to buffer: inout ByteBuffer) {
        guard let target = head.target else { return }
        buffer.reserveCapacity(minimumWritableBytes: bytes.count + 256)
        buffer.write(bytes, head.methodName)
        buffer.write(target.lacksPath ? " /" : " ")
        buffer.write(bytes, target.pathAndQuery)
        buffer.write(" HTTP/1.1\r\nHost: ")
        self.writeHost(head, bytes, to: &buffer)
        self.writeForwarded(head, bytes, from: client, to: &buffer)
        self.writeFraming(head, to: &buffer)
        if !self.via.isEmpty {
            buffer.write("Via: ")
            buffer.writeBytes(self.via)
            buffer.write("\r\n")
        }
        var copier = FieldCopier(bytes)
        for field in head.fields.fields where self.passes(field, head, bytes, isTrusted: client.isTrusted) {
            copier.copy(field, to: &buffer)
        }
        copier.finish(to: &buffer)
        buffer.write("\r\n")
    }

    /// Whether the client's field goes on as it is.
    private func passes(_ field: HeaderField, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, isTrusted: Bool) -> Bool {
        switch field.id {
        case .host, .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .contentLength, .upgrade, .expect,
            .http2Settings, .proxyAuthenticate, .proxyAuthorization, .xRealIP, .xForwardedFor, .xForwardedProto, .xForwardedHost:
            false
        case .forwarded, .xForwardedOther: isTrusted
        // Whoever could have these removed in front of the upstream could change whom it believes to talk to.
        case .authorization, .cookie, .contentType: true
        case .other, .altSvc, .date, .server, .setCookie, .via: !head.connection.nominates(bytes, field.name)
        }
    }

    private func writeHost(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        switch (self.policy.hostHeader, head.authority) {
        case (.fixed(let host), _): buffer.writeString(host)
        case (_, nil): buffer.writeString(self.policy.defaultHost)
        case (.original, let authority?): buffer.write(bytes, authority.text)
        case (.normalized, let authority?):
            for index in authority.name { buffer.writeInteger(ByteClass.lowercased(bytes[index])) }
        }
    }

    private func writeFraming(_ head: RequestHead, to buffer: inout ByteBuffer) {
        switch head.framing {
        case .length(let length):
            buffer.write("Content-Length: ")
            buffer.writeNumber(length)
            buffer.write("\r\n")
        case .chunked: buffer.write("Transfer-Encoding: chunked\r\n")
        case .none: if head.fields.contentLength != .absent { buffer.write("Content-Length: 0\r\n") }
        case .untilClose: break
        }
    }
}

// MARK: - X-Forwarded-*

extension RequestFilter {
    private func writeForwarded(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, to buffer: inout ByteBuffer
    ) {
        guard !client.isTrusted else { return self.writeForwardedByTrusted(head, bytes, from: client, to: &buffer) }
        buffer.write("\r\nX-Real-IP: ")
        buffer.writeBytes(client.bytes)
        buffer.write("\r\nX-Forwarded-For: ")
        buffer.writeBytes(client.bytes)
        buffer.write("\r\nX-Forwarded-Proto: http\r\n")
        self.writeForwardedHost(head, bytes, to: &buffer)
    }

    private func writeForwardedHost(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        guard let authority = head.authority else { return }
        buffer.write("X-Forwarded-Host: ")
        buffer.write(bytes, authority.text)
        buffer.write("\r\n")
    }

    private func writeForwardedByTrusted(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, to buffer: inout ByteBuffer
    ) {
        let chain = Self.forwardedFor(head, bytes)
        buffer.write("\r\nX-Real-IP: ")
        buffer.writeString(self.realAddress(chain, peer: client.text))
        buffer.write("\r\nX-Forwarded-For: ")
        for address in chain {
            buffer.writeString(address)
            buffer.write(", ")
        }
        buffer.writeBytes(client.bytes)
        buffer.write("\r\n")
        self.writeKept(.xForwardedProto, head, bytes, to: &buffer) { buffer, _ in buffer.write("X-Forwarded-Proto: http\r\n") }
        self.writeKept(.xForwardedHost, head, bytes, to: &buffer) { buffer, _ in self.writeForwardedHost(head, bytes, to: &buffer) }
    }

    /// The elements of all X-Forwarded-For lines, in order.
    private static func forwardedFor(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> [String] {
        guard head.fields.forwardedForCount > 0 else { return [] }
        var chain: [String] = []
        for field in head.fields.fields where field.id == .xForwardedFor {
            ByteScan.forEachElement(bytes, field.value) { chain.append(String(decoding: bytes[$0], as: UTF8.self)) }
        }
        return chain
    }

    /// Walks from the nearest to the farthest until an address is not one of the trusted proxies (nginx's `real_ip_recursive`).
    private func realAddress(_ chain: [String], peer: String) -> String {
        var address = peer
        for text in chain.reversed() {
            guard let parsed = IPAddress(text) else { break }
            address = parsed.description
            guard self.policy.trustedProxies.contains(where: { $0.contains(parsed) }) else { break }
        }
        return address
    }

    /// The first field of that name as the trusted peer sent it, or what stands for it.
    private func writeKept(
        _ id: KnownField, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer,
        otherwise: (inout ByteBuffer, KnownField) -> Void
    ) {
        guard let field = head.fields.fields.first(where: { $0.id == id }) else { return otherwise(&buffer, id) }
        buffer.write(bytes, field.name)
        buffer.write(": ")
        buffer.write(bytes, field.value)
        buffer.write("\r\n")
    }
}
