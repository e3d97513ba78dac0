import BalancerKit

extension ProxyConfiguration {
    /// Throws for what cannot work, with the setting's name. Endpoints are checked by their group.
    package func validate() throws(ProxyError) {
        guard !self.host.isEmpty else { throw .invalid("host", "the address to listen on is empty") }
        guard (0...65_535).contains(self.port) else { throw .invalid("port", "a port lies in 0…65535") }
        if let unixSocket {
            // sockaddr_un holds 108 bytes on Linux, 104 on Darwin, the closing zero included.
            guard (1...103).contains(unixSocket.utf8.count), !unixSocket.utf8.contains(0) else {
                throw .invalid("unixSocket", "a socket's path has 1…103 bytes, none of them zero")
            }
            guard !self.reusesPort else { throw .invalid("reusesPort", "there is no port to reuse with a Unix domain socket") }
        }
        guard (1...Int(Int32.max)).contains(self.backlog) else { throw .invalid("backlog", "the backlog must be at least 1") }
        guard self.threads.map({ (1...1024).contains($0) }) ?? true else { throw .invalid("threads", "threads lie in 1…1024") }
        guard !self.routes.isEmpty else { throw .invalid("routes", "a proxy needs at least one route") }
        try self.limits.validate()
        try self.timeouts.validate()
        try self.forwarding.validate()
        guard self.clientKeepAlive.requests >= 1 else { throw .invalid("clientKeepAlive.requests", "must be at least 1") }
        try self.responses.validate()
        for route in self.routes { try route.validate(depth: 0) }
        for host in self.hosts {
            guard !host.names.isEmpty else { throw .invalid("hosts", "a host has at least one name") }
            try host.responses.validate()
            for route in host.routes { try route.validate(depth: 0) }
        }
        _ = try HostTable(self.hosts.map(\.names))
        try self.tls?.validate()
        try self.validateZones()
    }

    private func validateZones() throws(ProxyError) {
        var names: Set<String> = []
        for zone in self.requestZones {
            guard names.insert(zone.name).inserted else { throw .invalid("requestZones", "a name stands twice: \(zone.name.prefix(60))") }
            do {
                _ = try RateLimitState([RateLimit(rate: zone.rate, maximumKeys: zone.maximumKeys)])
            } catch {
                throw .invalid("requestZones", error.description)
            }
        }
        names = []
        for zone in self.connectionZones {
            guard names.insert(zone.name).inserted else {
                throw .invalid("connectionZones", "a name stands twice: \(zone.name.prefix(60))")
            }
            guard zone.maximumKeys >= 1 else { throw .invalid("connectionZones", "maximumKeys must be at least 1") }
        }
    }
}

extension ProxyLimits {
    fileprivate func validate() throws(ProxyError) {
        // Offsets into heads are 32 bits wide, see HeaderField.
        let lengths = 1...(16 << 20)
        guard lengths.contains(self.targetLength) else { throw .invalid("limits.targetLength", "lies in 1…16 MiB") }
        guard lengths.contains(self.headerLength) else { throw .invalid("limits.headerLength", "lies in 1…16 MiB") }
        guard (1...100_000).contains(self.fieldCount) else { throw .invalid("limits.fieldCount", "lies in 1…100000") }
        guard self.bodyLength.map({ $0 >= 0 }) ?? true else { throw .invalid("limits.bodyLength", "must not be negative") }
    }
}

extension ProxyTimeouts {
    /// All time-outs but those of the shutdown, by name.
    private var all: [(String, Duration)] {
        [
            ("clientHead", self.clientHead), ("clientBody", self.clientBody), ("clientSend", self.clientSend),
            ("upstreamConnect", self.upstreamConnect), ("upstreamRead", self.upstreamRead), ("upstreamSend", self.upstreamSend),
            ("lingering", self.lingering),
        ]
    }

    fileprivate func validate() throws(ProxyError) {
        for (name, duration) in self.all where duration <= .zero { throw .invalid("timeouts.\(name)", "must be positive") }
        guard self.shutdown >= .zero, self.shutdownIdle >= .zero else { throw .invalid("timeouts.shutdown", "must not be negative") }
    }

    /// How often the timer strikes: often enough for the shortest time-out, and seldom enough to cost nothing.
    var resolution: Duration {
        let shortest = self.all.map(\.1).min() ?? .seconds(4)
        return min(max(min(shortest, self.shutdownIdle) / 8, .milliseconds(10)), .milliseconds(500))
    }
}

extension ForwardingPolicy {
    fileprivate func validate() throws(ProxyError) {
        if case .fixed(let host) = self.hostHeader { try Self.check(host, "forwarding.hostHeader") }
        if case .replace(let name) = self.serverHeader { try Self.check(name, "forwarding.serverHeader") }
        if let via { try Self.check(via, "forwarding.via") }
        try Self.check(self.defaultHost, "forwarding.defaultHost")
    }

    private static func check(_ value: String, _ place: String) throws(ProxyError) {
        guard !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x1F && $0 < 0x7F }) else {
            throw .invalid(place, "must be printable ASCII, and not empty")
        }
    }
}

extension TrafficLimits {
    fileprivate func validate() throws(ProxyError) {
        for (status, place) in [(self.requestStatus, "limits.requestStatus"), (self.connectionStatus, "limits.connectionStatus")] {
            guard (400...599).contains(status) else { throw .invalid(place, "a request is rejected with a status of 400…599") }
        }
        for limit in self.requests {
            guard (0...1_000_000_000).contains(limit.burst) else { throw .invalid("limits.requests", "a burst lies in 0…1,000,000,000") }
            if case .above(let requests) = limit.delay, !(0...1_000_000_000).contains(requests) {
                throw .invalid("limits.requests", "a delay lies in 0…1,000,000,000")
            }
        }
        guard self.connections.allSatisfy({ $0.connections >= 1 }) else {
            throw .invalid("limits.connections", "at least 1 connection must be let through")
        }
    }
}

extension StaticFiles {
    fileprivate func validate() throws(ProxyError) {
        guard self.directory.hasPrefix("/"), !self.directory.utf8.contains(0) else {
            throw .invalid("files.directory", "must be an absolute path")
        }
        for name in self.indexFiles {
            guard Self.staysBelow(name) else { throw .invalid("files.indexFiles", "not a name below the directory: \(name.prefix(60))") }
        }
        if let fallbackFile {
            guard fallbackFile.hasPrefix("/"), Self.staysBelow(fallbackFile) else {
                throw .invalid("files.fallbackFile", "begins with a slash, and stays below the directory")
            }
        }
        guard self.maximumRanges >= 0 else { throw .invalid("files.maximumRanges", "must not be negative") }
        for value in Array(self.contentTypes.values) + [self.defaultContentType, self.cacheControl ?? ""] {
            guard value.utf8.allSatisfy({ $0 > 0x1F && $0 < 0x7F }) else { throw .invalid("files", "a field's value is printable ASCII") }
        }
    }

    private static func staysBelow(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"))
        return !parts.isEmpty && !parts.contains { $0.elementsEqual("..".utf8) } && !name.utf8.contains(0)
    }
}

extension ProxyRoute {
    /// Routes may lie 64 deep.
    fileprivate func validate(depth: Int) throws(ProxyError) {
        guard depth < 64 else { throw .invalid("routes", "routes lie more than 64 deep") }
        for route in self.routes { try route.validate(depth: depth + 1) }
        guard self.prefix.hasPrefix("/") else { throw .invalid("routes", "a prefix begins with a slash: \(self.prefix.prefix(60))") }
        try self.validateForwarding()
        try self.responses.validate()
        switch self.action {
        case .files(let files): try files.validate()
        case .refuse(let status):
            guard (400...599).contains(status) else { throw .invalid("routes", "a request is refused with a status of 400…599") }
        case .answer(let answer): try answer.validate()
        case .close: break
        case .forward(let upstream):
            guard upstream.keepAlive.connections >= 0 else { throw .invalid("keepAlive.connections", "must not be negative") }
            guard upstream.keepAlive.requests >= 1 else { throw .invalid("keepAlive.requests", "must be at least 1") }
            guard upstream.nextUpstream.tries >= 0 else { throw .invalid("nextUpstream.tries", "must not be negative") }
            try upstream.sticky?.validate()
        }
        try self.limits.validate()
    }
}

extension ProxyRoute {
    /// Fields that the proxy writes by itself, since framing and the connection's life hang on them.
    private static let ownFields: Set<String> = [
        "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings",
    ]

    private func validateForwarding() throws(ProxyError) {
        if let path = self.replacementPath {
            guard self.expression == nil else { throw .invalid("replacementPath", "an expression has no prefix to replace") }
            guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !path.contains("#") else {
                throw .invalid("replacementPath", "begins with a slash, and is printable ASCII without spaces and fragment")
            }
        }
        for field in self.requestFields {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(ByteClass.isToken), !Self.ownFields.contains(field.name.lowercased())
            else { throw .invalid("requestFields", "the field \(field.name.prefix(60)) cannot be set") }
        }
        if case .bytes(let count) = self.bodyLimit, count < 0 { throw .invalid("bodyLimit", "must not be negative") }
    }
}
