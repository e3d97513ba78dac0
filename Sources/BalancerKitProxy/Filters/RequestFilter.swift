/// Writes the head that an upstream gets for a client's request.
///
/// What the proxy sets comes first, in nginx's order: Host, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, framing. The
/// client's fields follow, less those of the hop (RFC 9110 §7.6.1) and those that only a trusted peer may set. Since our own fields are
/// written and not taken over, no Connection option can remove them.
final class RequestFilter: Sendable {
    let policy: ForwardingPolicy
    private let via: [UInt8]

    init(_ policy: ForwardingPolicy) {
        self.policy = policy
        self.via = policy.via.map { Array(("1.1 " + $0).utf8) } ?? []
    }

    /// - Parameters:
    ///   - changes: what the route has instead of the client's.
    ///   - trace: fields of ours that carry the trace on; a client's own of the same names give way.
    ///   - upgrade: the upgrade that is asked of the upstream.
    func write(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, changes: HeadChanges? = nil, trace: [TraceField],
        upgrade: UpgradeRequest? = nil,
        to writer: inout HeadWriter
    ) {
        guard let target = head.target else { return }
        writer.write(bytes, head.methodName)
        if let replacement = changes?.target {
            writer.write(" ")
            writer.write(replacement)
        } else {
            writer.write(target.lacksPath ? " /" : " ")
            writer.write(bytes, target.pathAndQuery)
        }
        writer.write(" HTTP/1.1\r\n")
        if let changes {
            self.write(changes, head, bytes, from: client, to: &writer)
        } else {
            writer.write("Host: ")
            self.writeHost(head, bytes, to: &writer)
            self.writeForwarded(head, bytes, from: client, to: &writer)
        }
        self.writeFraming(head, to: &writer)
        if !self.via.isEmpty {
            writer.write("Via: ")
            writer.write(self.via)
            writer.write("\r\n")
        }
        if let upgrade {
            writer.write("Connection: upgrade\r\nUpgrade: ")
            writer.write(upgrade.protocols)
            writer.write("\r\n")
        }
        for field in trace {
            writer.write(field.name)
            writer.write(": ")
            writer.write(field.value)
            writer.write("\r\n")
        }
        var copier = FieldCopier(bytes)
        for field in head.fields.fields where self.passes(field, head, bytes, isTrusted: client.isTrusted) {
            if !trace.isEmpty, Self.isReplaced(field, bytes, by: trace) { continue }
            if let changes, changes.replaces(bytes, field.name) { continue }
            copier.copy(field, to: &writer)
        }
        copier.finish(to: &writer)
        writer.write("\r\n")
    }

    /// The route's own fields, and those of the proxy that the route does not set.
    private func write(
        _ changes: HeadChanges, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress,
        to writer: inout HeadWriter
    ) {
        if let host = changes.host {
            if !host.isEmpty { Self.write("Host", host, to: &writer) }
        } else {
            writer.write("Host: ")
            self.writeHost(head, bytes, to: &writer)
            writer.write("\r\n")
        }
        for (name, value) in changes.fields where !value.isEmpty { Self.write(name, value, to: &writer) }
        self.writeForwarded(head, bytes, from: client, changes, to: &writer)
    }

    private static func write(_ name: String, _ value: [UInt8], to writer: inout HeadWriter) {
        writer.write(name)
        writer.write(": ")
        writer.write(value)
        writer.write("\r\n")
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

    private static func isReplaced(_ field: HeaderField, _ bytes: UnsafeRawBufferPointer, by trace: [TraceField]) -> Bool {
        let name = bytes[field.name].lazy.map(ByteClass.lowercased)
        return trace.contains { $0.name.utf8.lazy.map(ByteClass.lowercased).elementsEqual(name) }
    }

    private func writeHost(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        switch (self.policy.hostHeader, head.authority) {
        case (.fixed(let host), _): writer.write(host)
        case (_, nil): writer.write(self.policy.defaultHost)
        case (.original, let authority?): writer.write(bytes, authority.text)
        case (.normalized, let authority?):
            writer.writeLowercased(bytes, authority.name)
        }
    }

    private func writeFraming(_ head: RequestHead, to writer: inout HeadWriter) {
        switch head.framing {
        case .length(let length):
            writer.write("Content-Length: ")
            writer.writeNumber(length)
            writer.write("\r\n")
        case .chunked: writer.write("Transfer-Encoding: chunked\r\n")
        case .none: if head.fields.contentLength != .absent { writer.write("Content-Length: 0\r\n") }
        case .untilClose: break
        }
    }
}

// MARK: - X-Forwarded-*

extension RequestFilter {
    private func writeForwarded(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, to writer: inout HeadWriter
    ) {
        guard !client.isTrusted else { return self.writeForwardedByTrusted(head, bytes, from: client, to: &writer) }
        writer.write("\r\nX-Real-IP: ")
        writer.write(client.bytes)
        writer.write("\r\nX-Forwarded-For: ")
        writer.write(client.bytes)
        writer.write(client.isSecure ? "\r\nX-Forwarded-Proto: https\r\n" : "\r\nX-Forwarded-Proto: http\r\n")
        self.writeForwardedHost(head, bytes, to: &writer)
    }

    /// As above, less what the route sets itself.
    private func writeForwarded(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, _ changes: HeadChanges,
        to writer: inout HeadWriter
    ) {
        let chain = client.isTrusted ? Self.forwardedFor(head, bytes) : []
        if !changes.replaces("x-real-ip") {
            writer.write("X-Real-IP: ")
            writer.write(client.isTrusted ? self.realAddress(chain, peer: client.text) : client.text)
            writer.write("\r\n")
        }
        if !changes.replaces("x-forwarded-for") {
            writer.write("X-Forwarded-For: ")
            for address in chain {
                writer.write(address)
                writer.write(", ")
            }
            writer.write(client.bytes)
            writer.write("\r\n")
        }
        if !changes.replaces("x-forwarded-proto") {
            self.writeKept(.xForwardedProto, head, bytes, isKept: client.isTrusted, to: &writer) {
                $0.write(client.isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
            }
        }
        if !changes.replaces("x-forwarded-host") {
            self.writeKept(.xForwardedHost, head, bytes, isKept: client.isTrusted, to: &writer) {
                self.writeForwardedHost(head, bytes, to: &$0)
            }
        }
    }

    private func writeKept(
        _ id: KnownField, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, isKept: Bool, to writer: inout HeadWriter,
        otherwise: (inout HeadWriter) -> Void
    ) {
        guard isKept else { return otherwise(&writer) }
        self.writeKept(id, head, bytes, to: &writer) { writer, _ in otherwise(&writer) }
    }

    private func writeForwardedHost(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        guard let authority = head.authority else { return }
        writer.write("X-Forwarded-Host: ")
        writer.write(bytes, authority.text)
        writer.write("\r\n")
    }

    private func writeForwardedByTrusted(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, to writer: inout HeadWriter
    ) {
        let chain = Self.forwardedFor(head, bytes)
        writer.write("\r\nX-Real-IP: ")
        writer.write(self.realAddress(chain, peer: client.text))
        writer.write("\r\nX-Forwarded-For: ")
        for address in chain {
            writer.write(address)
            writer.write(", ")
        }
        writer.write(client.bytes)
        writer.write("\r\n")
        self.writeKept(.xForwardedProto, head, bytes, to: &writer) { writer, _ in
            writer.write(client.isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
        }
        self.writeKept(.xForwardedHost, head, bytes, to: &writer) { writer, _ in self.writeForwardedHost(head, bytes, to: &writer) }
    }

    /// Who the request is from, as far as is believed: what an upstream gets as X-Real-IP.
    func clientAddress(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress) -> String {
        client.isTrusted ? self.realAddress(Self.forwardedFor(head, bytes), peer: client.text) : client.text
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
        _ id: KnownField, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, to writer: inout HeadWriter,
        otherwise: (inout HeadWriter, KnownField) -> Void
    ) {
        guard let field = head.fields.fields.first(where: { $0.id == id }) else { return otherwise(&writer, id) }
        writer.write(bytes, field.name)
        writer.write(": ")
        writer.write(bytes, field.value)
        writer.write("\r\n")
    }
}
