import BalancerKitProxy

/// What nginx has for each location and the embedded proxy once: the locations must agree on it.
struct SharedSettings: Equatable {
    var connect: Duration = .seconds(60)
    var read: Duration = .seconds(60)
    var send: Duration = .seconds(60)
    var clientBody: Duration = .seconds(60)
    var clientSend: Duration = .seconds(60)
    var keepAlive = ClientKeepAliveSettings()
}

/// ``ClientKeepAlive`` as nginx has it.
struct ClientKeepAliveSettings: Equatable {
    var idle: Duration = .seconds(75)
    var requests = 1000
    var time: Duration = .seconds(3600)
}

extension ConfigurationMapping {
    mutating func mapShared(_ servers: [MappedServer], to proxy: inout ProxyConfiguration) throws(NginxError) {
        var shared: SharedSettings?
        for location in servers.flatMap(\.forwarding) {
            let own = try self.settings(location.block)
            guard let first = shared else {
                shared = own
                continue
            }
            guard own == first else {
                throw .unsupported(
                    "the embedded proxy has one setting for all locations, and this one differs in \(own.difference(from: first))",
                    at: self.scope.node(location.block).place)
            }
        }
        if shared == nil, let server = servers.first { shared = try self.settings(server.block) }
        shared?.apply(to: &proxy)
    }

    private mutating func settings(_ block: Int) throws(NginxError) -> SharedSettings {
        var settings = SharedSettings()
        try self.mapTime("proxy_connect_timeout", in: block, to: &settings.connect)
        try self.mapTime("proxy_read_timeout", in: block, to: &settings.read)
        try self.mapTime("proxy_send_timeout", in: block, to: &settings.send)
        try self.mapTime("client_body_timeout", in: block, to: &settings.clientBody)
        try self.mapTime("send_timeout", in: block, to: &settings.clientSend)
        settings.keepAlive.requests = max(1, self.number("keepalive_requests", in: block) ?? 1000)
        settings.keepAlive.time = self.time("keepalive_time", in: block) ?? .seconds(3600)
        if let idle = self.time("keepalive_timeout", in: block) {
            if idle > .zero { settings.keepAlive.idle = idle } else { settings.keepAlive.requests = 1 }
        }
        self.reportDifferences(block)
        return settings
    }

    /// Directives that the embedded proxy follows in one way only.
    private mutating func reportDifferences(_ block: Int) {
        for node in self.scope.inherited("proxy_http_version", in: block) where node.words[1].text == "1.0" {
            self.report.hasNoEffect(node, "upstreams are spoken to in HTTP/1.1")
        }
        for node in self.scope.inherited("proxy_http_version", in: block) where node.words[1].text == "1.1" {
            self.report.hasNoEffect(node, "it is so anyway")
        }
        for node in self.scope.inherited("proxy_buffering", in: block) where NginxQuantity.flag(node.words[1].bytes) == true {
            self.report.hasNoEffect(node, "bodies are relayed as they come")
        }
        for node in self.scope.inherited("proxy_request_buffering", in: block) where NginxQuantity.flag(node.words[1].bytes) == true {
            self.report.hasNoEffect(node, "bodies are relayed as they come")
        }
        for node in self.scope.inherited("proxy_redirect", in: block) where node.words[1].text != "off" {
            self.report.hasNoEffect(node, "Location is left as the upstream wrote it")
        }
        for node in self.scope.inherited("keepalive_timeout", in: block) where node.words.count > 2 {
            self.report.hasNoEffect(node, "there is no Keep-Alive field in responses")
        }
    }
}

extension SharedSettings {
    fileprivate func difference(from other: SharedSettings) -> String {
        if self.connect != other.connect { return "proxy_connect_timeout" }
        if self.read != other.read { return "proxy_read_timeout" }
        if self.send != other.send { return "proxy_send_timeout" }
        if self.clientBody != other.clientBody { return "client_body_timeout" }
        if self.clientSend != other.clientSend { return "send_timeout" }
        return "keepalive_timeout, keepalive_requests or keepalive_time"
    }

    fileprivate func apply(to proxy: inout ProxyConfiguration) {
        proxy.timeouts.upstreamConnect = self.connect
        proxy.timeouts.upstreamRead = self.read
        proxy.timeouts.upstreamSend = self.send
        proxy.timeouts.clientBody = self.clientBody
        proxy.timeouts.clientSend = self.clientSend
        proxy.clientKeepAlive.idle = self.keepAlive.idle
        proxy.clientKeepAlive.requests = self.keepAlive.requests
        proxy.clientKeepAlive.time = self.keepAlive.time
    }
}
