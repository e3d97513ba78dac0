import BalancerKit
import BalancerKitProxy

extension ConfigurationMapping {
    // MARK: Where it listens

    mutating func mapListen(_ server: Int, to proxy: inout ProxyConfiguration) throws(NginxError) {
        let nodes = self.scope.own("listen", in: server).map(self.scope.node)
        var addresses: [ListenAddress] = []
        for node in nodes {
            let address = try ListenAddress(node)
            try self.checkFeatures(address, node)
            addresses.append(address)
        }
        guard let first = addresses.first else {
            (proxy.host, proxy.port, proxy.backlog) = ("0.0.0.0", 80, Self.usualBacklog)
            return
        }
        proxy.backlog = addresses.compactMap(\.backlog).first ?? Self.usualBacklog
        proxy.reusesPort = addresses.contains { $0.reusesPort }
        switch first.place {
        case .all4(let port): (proxy.host, proxy.port) = ("0.0.0.0", port)
        case .all6(let port): (proxy.host, proxy.port) = ("::", port)
        case .host(let host, let port): (proxy.host, proxy.port) = (host, port)
        case .unix(let path): proxy.unixSocket = path
        }
        guard addresses.count > 1 else { return }
        try self.mapBothFamilies(addresses, nodes, to: &proxy)
    }

    /// nginx's backlog on Linux.
    private static let usualBacklog = 511

    /// `listen 80; listen [::]:80;` is one socket for both families; other pairs are two, and the embedded proxy has one.
    private mutating func mapBothFamilies(
        _ addresses: [ListenAddress], _ nodes: [NginxSyntaxTree.Node], to proxy: inout ProxyConfiguration
    ) throws(NginxError) {
        switch (addresses[0].place, addresses[1].place) {
        case (.all4(let port), .all6(let other)) where port == other && addresses.count == 2,
            (.all6(let port), .all4(let other)) where port == other && addresses.count == 2:
            (proxy.host, proxy.port) = ("::", port)
            self.report.differs(nodes[1], "one socket takes both IPv4 and IPv6")
        default:
            throw .unsupported("the embedded proxy listens on one address: this is a second one", at: nodes[1].place)
        }
    }

    private mutating func checkFeatures(_ address: ListenAddress, _ node: NginxSyntaxTree.Node) throws(NginxError) {
        if address.isTLS { throw .unsupported("\"listen … ssl\" is not supported by the embedded proxy", at: node.place) }
        if address.isProxyProtocol { throw .unsupported("\"proxy_protocol\" is not supported by the embedded proxy", at: node.place) }
        if address.isHTTP2 { throw .unsupported("\"http2\" is not supported by the embedded proxy", at: node.place) }
        if case .unix(let path) = address.place, path.utf8.count > 103 {
            throw .unsupported("the embedded proxy takes a socket's path of at most 103 bytes", at: node.place)
        }
        if case .unix = address.place, address.reusesPort { throw .unsupported("there is no port to reuse", at: node.place) }
        for parameter in address.inert { self.report.hasNoEffect(node, "the parameter \"\(parameter)\"") }
    }

    // MARK: What holds for all requests

    func mapProcess(to proxy: inout ProxyConfiguration) throws(NginxError) {
        if let workers = self.scope.own("worker_processes", in: -1).first.map(self.scope.node)?.arguments.first {
            proxy.threads = NginxQuantity.number(workers.bytes).map { min(max($0, 1), 1024) }
        }
        if let shutdown = self.time("worker_shutdown_timeout", in: -1) { proxy.timeouts.shutdown = shutdown }
    }

    mutating func mapServer(_ server: Int, to proxy: inout ProxyConfiguration) throws(NginxError) {
        try self.mapTime("client_header_timeout", in: server, to: &proxy.timeouts.clientHead)
        try self.mapBuffers(server, to: &proxy.limits)
        let names = self.scope.own("server_name", in: server).map(self.scope.node)
        for node in names { self.report.hasNoEffect(node, "the only server takes every name") }
        proxy.forwarding.defaultHost = names.flatMap(\.arguments).map(\.text).first(where: Self.isPlainName) ?? "localhost"
        if let node = self.scope.own("return", in: server).first.map(self.scope.node) {
            throw .unsupported("\"return\" for a whole server is not supported by the embedded proxy", at: node.place)
        }
        for block in [server, self.scope.block(around: server)] where block >= 0 {
            if let node = self.scope.own("deny", in: block).first.map(self.scope.node) {
                throw .unsupported("\"deny\" outside of a location is not supported by the embedded proxy", at: node.place)
            }
        }
    }

    private static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && !"~.*".contains(name.first ?? "~") && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != .dollar }
            && !name.hasSuffix("*") && name != "_"
    }

    /// nginx allows a head as many buffers as said, and a request line one of them.
    private func mapBuffers(_ server: Int, to limits: inout ProxyLimits) throws(NginxError) {
        guard let node = self.scope.inherited("large_client_header_buffers", in: server).last else { return }
        let words = Array(node.arguments)
        guard words.count == 2, let count = NginxQuantity.number(words[0].bytes),
            let size = NginxQuantity.size(words[1].bytes, allowsGiga: false)
        else { return }
        let (total, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow, total <= 16 << 20 else { throw .unsupported("the embedded proxy takes heads of at most 16 MiB", at: node.place) }
        (limits.targetLength, limits.headerLength) = (size, total)
    }

    /// Maps a time that must be above zero.
    func mapTime(_ name: String, in block: Int, to duration: inout Duration) throws(NginxError) {
        guard let time = self.time(name, in: block) else { return }
        guard time > .zero else {
            throw .unsupported("the embedded proxy has no time-out of 0", at: self.scope.inherited(name, in: block).last?.place)
        }
        duration = time
    }
}
