import BalancerKit
import BalancerKitProxy

/// A proxy's settings, checked for what nginx cannot be told, with names for its upstreams.
struct RenderingPlan {
    let proxy: ProxyConfiguration
    /// Which of several proxies of one file it is, from 0; part of its upstreams' and zones' names.
    private let number: Int
    /// Where requests are noted where the settings say nothing of it.
    private let accessLog: String?

    init(_ proxy: ProxyConfiguration, number: Int = 0, accessLog: String? = nil) throws(NginxError) {
        self.accessLog = accessLog
        self.proxy = proxy
        self.number = number
        do {
            try proxy.validate()
        } catch {
            // What the embedded proxy refuses, since a request could be taken for two or an answer be split, nginx is not told either.
            throw .notRenderable(error.place.map { "\($0): \(error.message)" } ?? error.message)
        }
        guard proxy.forwarding.trustedProxies.isEmpty else { throw .notRenderable("forwarding.trustedProxies cannot be rendered") }
        guard proxy.forwarding.via == nil else { throw .notRenderable("nginx writes no Via: forwarding.via cannot be rendered") }
        if let socket = proxy.unixSocket, socket.contains(":") || socket.isEmpty {
            throw .notRenderable("nginx takes no socket path with a colon: unixSocket")
        }
        for text in [proxy.host, proxy.forwarding.defaultHost] { try Self.checkText(text, "a host") }
        try self.checkDefaultHost()
        try Self.checkRoutes(proxy.routes)
        for host in proxy.hosts {
            try Self.checkRoutes(host.routes)
            for name in host.names { try Self.checkText(name, "a host's name") }
        }
    }

    /// The name that stands for a missing one is in nginx a name of the default server, and so must not lead to another.
    private func checkDefaultHost() throws(NginxError) {
        do {
            let names = try HostTable(self.proxy.hosts.map(\.names))
            guard let host = names.host(for: self.proxy.forwarding.defaultHost.lowercased()), !self.proxy.hosts[host].routes.isEmpty else {
                return
            }
        } catch {
            throw .notRenderable(error.message)
        }
        throw .notRenderable("forwarding.defaultHost is a name of hosts")
    }

    /// nginx takes a location only once, the embedded proxy the first of several.
    private static func checkRoutes(_ routes: [ProxyRoute]) throws(NginxError) {
        var seen: Set<String> = []
        for route in routes {
            try Self.checkText(route.expression?.pattern ?? route.prefix, "a route's prefix")
            try Self.checkRoutes(route.routes)
            guard route.expression == nil else { continue }
            guard route.prefix.hasPrefix("/") else { throw .notRenderable("a route's prefix begins with a slash") }
            guard seen.insert((route.isExact ? "=" : "") + route.prefix).inserted else {
                throw .notRenderable("the route \(route.prefix) is there twice")
            }
            for inner in route.routes where inner.expression == nil && !inner.prefix.utf8.starts(with: route.prefix.utf8) {
                throw .notRenderable("the route \(inner.prefix) is outside the route \(route.prefix)")
            }
            if route.isExact, !route.routes.isEmpty { throw .notRenderable("nginx has no locations within an exact one") }
        }
    }

    /// A zero byte would end a file's word, and no word may be longer than nginx's buffer.
    static func checkText(_ text: String, _ what: String) throws(NginxError) {
        guard !text.utf8.contains(0), QuotedWord.bytes(of: text.utf8).count < StatementReader.longestWord else {
            throw .notRenderable("\(what) has a zero byte or more than 4095 bytes")
        }
    }

    func write(to writer: inout DirectiveWriter) throws(NginxError) {
        try ZoneRendering(self.proxy, suffix: self.suffix).write(to: &writer)
        var names = UpstreamNames(suffix: self.suffix)
        try names.write(self.proxy.routes, to: &writer)
        for host in self.proxy.hosts { try names.write(host.routes, to: &writer) }
        names.restart()
        try self.writeServer(nil, &names, to: &writer)
        for host in self.proxy.hosts where !host.routes.isEmpty { try self.writeServer(host, &names, to: &writer) }
    }

    private var suffix: String { self.number == 0 ? "" : "_of_\(self.number + 1)" }

    // MARK: Servers

    private func writeServer(_ host: ProxyHost?, _ names: inout UpstreamNames, to writer: inout DirectiveWriter) throws(NginxError) {
        writer.separate()
        writer.open("server")
        self.writeListen(isUsual: host == nil, to: &writer)
        writer.write(["server_name"] + self.serverNames(host))
        try TLSRendering(self.proxy).write(host, to: &writer)
        try self.writeSettings(to: &writer)
        // nginx's servers have nothing from one another.
        var responses = host?.responses.within(self.proxy.responses) ?? self.proxy.responses
        // As it is said for all servers.
        if responses.log == .logger || responses.log == .off && self.accessLog == nil { responses.log = nil }
        try ResponseRendering.write(responses, log: self.accessLog, to: &writer)
        let locations = LocationRendering(self.proxy, suffix: self.suffix, accessLog: self.accessLog)
        try locations.write(host?.routes ?? self.proxy.routes, &names, to: &writer)
        if !Self.takesAll(host?.routes ?? self.proxy.routes) {
            writer.separate()
            // Where the embedded proxy answers with 404, nginx would look for a file.
            try writer.block("location", "/") { writer in writer.write("return", "404") }
        }
        writer.close()
    }

    private static func takesAll(_ routes: [ProxyRoute]) -> Bool {
        routes.contains { $0.expression == nil && !$0.isExact && $0.prefix == "/" }
    }

    /// The default server has the name that stands for a missing host first, and those of hosts that lead to it.
    private func serverNames(_ host: ProxyHost?) -> [String] {
        if let host { return host.names }
        let own = self.proxy.hosts.filter(\.routes.isEmpty).flatMap(\.names).filter { $0 != self.proxy.forwarding.defaultHost }
        return [self.proxy.forwarding.defaultHost] + own
    }

    private func writeListen(isUsual: Bool, to writer: inout DirectiveWriter) {
        var parameters: [String] = []
        if isUsual {
            if !self.proxy.hosts.isEmpty { parameters.append("default_server") }
            if self.proxy.backlog != 511 { parameters.append("backlog=\(self.proxy.backlog)") }
            if self.proxy.reusesPort { parameters.append("reuseport") }
        }
        if self.proxy.tls != nil { parameters.append("ssl") }
        if let socket = self.proxy.unixSocket {
            writer.write(["listen", "unix:\(socket)"] + parameters)
        } else {
            let host = self.proxy.host.contains(":") ? "[\(self.proxy.host)]" : self.proxy.host
            // `::` takes both families in the embedded proxy.
            let families = self.proxy.host == "::" && isUsual ? ["ipv6only=off"] : []
            writer.write(["listen", "\(host):\(self.proxy.port)"] + parameters + families)
        }
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
        for (name, value) in try FieldRendering(self.proxy.forwarding).usual { writer.write("proxy_set_header", name, value) }
    }
}
