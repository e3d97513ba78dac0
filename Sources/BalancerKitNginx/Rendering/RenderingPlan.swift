import BalancerKit
import BalancerKitProxy

/// A proxy's settings, checked for what nginx cannot be told, with names for its upstreams.
struct RenderingPlan {
    private let proxy: ProxyConfiguration

    init(_ proxy: ProxyConfiguration) throws(NginxError) {
        self.proxy = proxy
        guard proxy.forwarding.trustedProxies.isEmpty else { throw .notRenderable("forwarding.trustedProxies cannot be rendered") }
        guard proxy.forwarding.via == nil else { throw .notRenderable("nginx writes no Via: forwarding.via cannot be rendered") }
        if let socket = proxy.unixSocket, socket.contains(":") || socket.isEmpty {
            throw .notRenderable("nginx takes no socket path with a colon: unixSocket")
        }
        for text in [proxy.host, proxy.forwarding.defaultHost] { try Self.checkText(text, "a host") }
        for route in proxy.routes { try Self.checkText(route.prefix, "a route's prefix") }
        try self.checkRoutes()
    }

    /// nginx takes a location only once, the embedded proxy the first of several.
    private func checkRoutes() throws(NginxError) {
        var seen: Set<String> = []
        for route in self.proxy.routes {
            guard route.prefix.hasPrefix("/") else { throw .notRenderable("a route's prefix begins with a slash") }
            guard seen.insert((route.isExact ? "=" : "") + route.prefix).inserted else {
                throw .notRenderable("the route \(route.prefix) is there twice")
            }
        }
    }

    /// A zero byte would end a file's word, and no word may be longer than nginx's buffer.
    private static func checkText(_ text: String, _ what: String) throws(NginxError) {
        guard !text.utf8.contains(0), QuotedWord.bytes(of: text.utf8).count < StatementReader.longestWord else {
            throw .notRenderable("\(what) has a zero byte or more than 4095 bytes")
        }
    }

    func write(to writer: inout DirectiveWriter) throws(NginxError) {
        for (index, route) in self.proxy.routes.enumerated() {
            guard case .forward(let upstream) = route.action else { continue }
            writer.separate()
            try writer.block("upstream", Self.name(index)) { (writer) throws(NginxError) in try Self.write(upstream, to: &writer) }
        }
        writer.separate()
        try writer.block("server") { (writer) throws(NginxError) in
            self.writeListen(to: &writer)
            try self.writeSettings(to: &writer)
            for (index, route) in self.proxy.routes.enumerated() {
                writer.separate()
                try self.write(route, Self.name(index), to: &writer)
            }
        }
    }

    private static func name(_ index: Int) -> String { "scalekit_\(index + 1)" }

    // MARK: Upstreams

    private static func write(_ upstream: UpstreamConfiguration, to writer: inout DirectiveWriter) throws(NginxError) {
        switch upstream.strategy {
        case is RoundRobin: break
        case is LeastConnections: writer.write("least_conn")
        case is PowerOfTwoChoices: writer.write("random", "two", "least_conn")
        case is WeightedRandom: writer.write("random")
        default: throw .notRenderable("nginx has no such strategy: \(type(of: upstream.strategy))")
        }
        let isByChance = upstream.strategy is PowerOfTwoChoices || upstream.strategy is WeightedRandom
        if isByChance, upstream.endpoints.contains(where: \.isBackup) { throw .notRenderable("nginx has no backups with random") }
        guard !upstream.endpoints.isEmpty else { throw .notRenderable("an upstream without endpoints") }
        for endpoint in upstream.endpoints { writer.write(try Self.words(for: endpoint)) }
        guard upstream.keepAlive.connections > 0 else { return }
        writer.write("keepalive", "\(upstream.keepAlive.connections)")
        writer.write("keepalive_requests", "\(upstream.keepAlive.requests)")
        writer.write("keepalive_time", try NginxTime.text(upstream.keepAlive.time, "keepAlive.time"))
        writer.write("keepalive_timeout", try NginxTime.text(upstream.keepAlive.idle, "keepAlive.idle"))
    }

    /// All parameters that are not nginx's defaults. Its seconds are whole.
    private static func words(for endpoint: Endpoint) throws(NginxError) -> [String] {
        var words = ["server", endpoint.address.description]
        try Self.checkText(words[1], "an address")
        if case .unix(let path) = endpoint.address, path.contains(":") { throw .notRenderable("nginx takes no socket path with a colon") }
        if endpoint.weight != 1 { words.append("weight=\(endpoint.weight)") }
        if endpoint.maxFails != 1 { words.append("max_fails=\(endpoint.maxFails)") }
        let (seconds, attoseconds) = endpoint.failTimeout.components
        let whole = attoseconds > 0 ? seconds.addingReportingOverflow(1).partialValue : seconds
        if whole != 10 { words.append("fail_timeout=\(whole)s") }
        if endpoint.maxConnections != 0 { words.append("max_conns=\(endpoint.maxConnections)") }
        if endpoint.isBackup { words.append("backup") }
        if endpoint.isDown { words.append("down") }
        return words
    }

    // MARK: The server

    private func writeListen(to writer: inout DirectiveWriter) {
        let parameters = (self.proxy.backlog == 511 ? [] : ["backlog=\(self.proxy.backlog)"]) + (self.proxy.reusesPort ? ["reuseport"] : [])
        if let socket = self.proxy.unixSocket {
            writer.write(["listen", "unix:\(socket)"] + parameters)
        } else {
            let host = self.proxy.host.contains(":") ? "[\(self.proxy.host)]" : self.proxy.host
            // `::` takes both families in the embedded proxy.
            let families = self.proxy.host == "::" ? ["ipv6only=off"] : []
            writer.write(["listen", "\(host):\(self.proxy.port)"] + parameters + families)
        }
        writer.write("server_name", self.proxy.forwarding.defaultHost)
    }

    private func writeSettings(to writer: inout DirectiveWriter) throws(NginxError) {
        let (times, limits) = (self.proxy.timeouts, self.proxy.limits)
        func time(_ name: String, _ duration: Duration, _ setting: String) throws(NginxError) {
            writer.write(name, try NginxTime.text(duration, setting))
        }
        writer.write("client_max_body_size", "\(limits.bodyLength ?? 0)")
        writer.write(
            "large_client_header_buffers", "\(max(1, limits.headerLength / max(1, limits.targetLength)))", "\(limits.targetLength)")
        try time("client_header_timeout", times.clientHead, "timeouts.clientHead")
        try time("client_body_timeout", times.clientBody, "timeouts.clientBody")
        try time("send_timeout", times.clientSend, "timeouts.clientSend")
        try time("keepalive_timeout", self.proxy.clientKeepAlive.idle, "clientKeepAlive.idle")
        try time("keepalive_time", self.proxy.clientKeepAlive.time, "clientKeepAlive.time")
        writer.write("keepalive_requests", "\(self.proxy.clientKeepAlive.requests)")
        try time("proxy_connect_timeout", times.upstreamConnect, "timeouts.upstreamConnect")
        try time("proxy_read_timeout", times.upstreamRead, "timeouts.upstreamRead")
        try time("proxy_send_timeout", times.upstreamSend, "timeouts.upstreamSend")
        writer.write("proxy_http_version", "1.1")
        writer.write("proxy_buffering", "off")
        writer.write("proxy_request_buffering", "off")
        writer.write("proxy_redirect", "off")
        writer.write("proxy_set_header", "Host", try self.hostHeader())
        writer.write("proxy_set_header", "X-Real-IP", "$remote_addr")
        writer.write("proxy_set_header", "X-Forwarded-For", "$remote_addr")
        writer.write("proxy_set_header", "X-Forwarded-Proto", "$scheme")
        writer.write("proxy_set_header", "X-Forwarded-Host", "$http_host")
        writer.write("proxy_set_header", "Connection", "")
    }

    private func hostHeader() throws(NginxError) -> String {
        switch self.proxy.forwarding.hostHeader {
        case .normalized: return "$host"
        case .original: return "$http_host"
        case .fixed(let host):
            guard !host.contains("$") else { throw .notRenderable("a Host with a dollar sign") }
            try Self.checkText(host, "a host")
            return host
        }
    }

    private func write(_ route: ProxyRoute, _ name: String, to writer: inout DirectiveWriter) throws(NginxError) {
        try writer.block(["location"] + (route.isExact ? ["="] : []) + [route.prefix]) { (writer) throws(NginxError) in
            switch route.action {
            case .refuse(let status): writer.write("return", "\(status)")
            case .files: throw .notRenderable("files cannot be rendered")
            case .forward(let upstream):
                writer.write("proxy_pass", "http://\(name)")
                try Self.write(upstream.nextUpstream, to: &writer)
            }
        }
    }

    private static func write(_ rules: NextUpstreamRules, to writer: inout DirectiveWriter) throws(NginxError) {
        let words = Self.conditionNames.filter { ConfigurationMapping.conditions[$0].map(rules.conditions.contains) ?? false }
        writer.write(["proxy_next_upstream"] + (words.isEmpty || words == ["non_idempotent"] ? ["off"] : words))
        if rules.tries != 0 { writer.write("proxy_next_upstream_tries", "\(rules.tries)") }
        if let timeout = rules.timeout { writer.write("proxy_next_upstream_timeout", try NginxTime.text(timeout, "nextUpstream.timeout")) }
    }

    private static let conditionNames = [
        "error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429",
        "non_idempotent",
    ]
}
