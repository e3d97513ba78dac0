import BalancerKitProxy

extension ConfigurationMapping {
    /// Reads a location's `proxy_set_header`s. What the embedded proxy sends anyway is left to it.
    mutating func mapFields(
        _ block: Int, _ proxyHost: String, _ place: LocationPlace, to route: inout ProxyRoute
    ) throws(NginxError) {
        let nodes = self.scope.inherited("proxy_set_header", in: block)
        let constants = ["proxy_host": proxyHost, "proxy_port": Self.port(of: proxyHost)]
        var fields: [RequestField] = []
        var names: Set<String> = []
        var host: RequestField?
        for node in nodes {
            let (name, value) = (node.words[1].text, node.words[2].text)
            names.insert(name.lowercased())
            if name.lowercased() == "host" {
                host = RequestField(name: "Host", value: try self.template(value, node, place, constants: constants))
            } else if try !self.isUsual(name.lowercased(), value, node) {
                fields.append(try self.field(name, value, node, place, constants))
            }
        }
        route.upgrades = self.upgrades(nodes)
        self.reportLoneUpgrades(nodes, route.upgrades)
        let usual = host == nil ? try self.usualHost(proxyHost, nodes.first ?? self.pass(block), place) : nil
        route.requestFields = [host ?? usual].compactMap { $0 } + fields
        let unset = Self.alwaysSent.filter { !names.contains($0.lowercased()) }
        if !unset.isEmpty, let around = nodes.first ?? self.pass(block) {
            self.report.differs(around, "the embedded proxy also sends \(unset.joined(separator: ", ")) of its own")
        }
    }

    private func usualHost(
        _ proxyHost: String, _ node: NginxSyntaxTree.Node?, _ place: LocationPlace
    ) throws(NginxError) -> RequestField? {
        guard let node else { return nil }
        return RequestField(name: "Host", value: try self.template(proxyHost.isEmpty ? "localhost" : proxyHost, node, place))
    }

    private static func port(of proxyHost: String) -> String {
        guard let colon = proxyHost.lastIndex(of: ":"), !proxyHost.hasSuffix("]") else { return "80" }
        return String(proxyHost[proxyHost.index(after: colon)...])
    }

    private static let alwaysSent = ["X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]

    private func pass(_ block: Int) -> NginxSyntaxTree.Node? { self.scope.own("proxy_pass", in: block).first.map(self.scope.node) }

    private func field(
        _ name: String, _ value: String, _ node: NginxSyntaxTree.Node, _ place: LocationPlace, _ constants: [String: String]
    ) throws(NginxError) -> RequestField {
        let isToken = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains($0) }
        guard isToken, !Self.framing.contains(name.lowercased()) else { throw Self.unsupported(node) }
        return RequestField(name: name, value: try self.template(value, node, place, constants: constants))
    }

    /// Fields that the embedded proxy writes by itself.
    private static let framing: Set<String> = [
        "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings",
    ]

    /// Whether the embedded proxy does it anyway, or has another way to do it.
    private mutating func isUsual(_ name: String, _ value: String, _ node: NginxSyntaxTree.Node) throws(NginxError) -> Bool {
        switch (name, name == "connection" ? value.lowercased() : value) {
        case ("x-real-ip", "$remote_addr"), ("x-forwarded-for", "$remote_addr"), ("x-forwarded-proto", "$scheme"),
            ("x-forwarded-host", "$http_host"), ("connection", ""), ("connection", "keep-alive"), ("upgrade", "$http_upgrade"),
            ("upgrade", ""), ("te", ""), ("expect", ""), ("proxy-connection", ""):
            return true
        case ("connection", "upgrade"), ("connection", "$http_connection"): return true
        case ("connection", _) where self.upgradeVariables.contains(value): return true
        case ("connection", "close"):
            self.report.hasNoEffect(node, "the embedded proxy decides by \"keepalive\"")
            return true
        default: return false
        }
    }

    /// The idiom of WebSocket: `Upgrade $http_upgrade` with a `Connection` that follows it.
    private func upgrades(_ nodes: [NginxSyntaxTree.Node]) -> UpgradePolicy {
        func value(_ name: String) -> String? { nodes.first { $0.words[1].text.lowercased() == name }?.words[2].text }
        guard value("upgrade") == "$http_upgrade", let connection = value("connection") else { return .never }
        return connection.lowercased() == "upgrade" || self.upgradeVariables.contains(connection) ? .any : .never
    }

    /// One half of the idiom alone upgrades nothing.
    private mutating func reportLoneUpgrades(_ nodes: [NginxSyntaxTree.Node], _ upgrades: UpgradePolicy) {
        guard upgrades == .never else { return }
        for node in nodes {
            let (name, value) = (node.words[1].text.lowercased(), node.words[2].text)
            let isHalf = name == "upgrade" && !value.isEmpty || name == "connection" && !["", "close", "keep-alive"].contains(value)
            if isHalf { self.report.hasNoEffect(node, "upgrades need both \"Upgrade $http_upgrade\" and a \"Connection\" that follows it") }
        }
    }

    private static func unsupported(_ node: NginxSyntaxTree.Node) -> NginxError {
        .unsupported(
            "\"proxy_set_header \(node.words[1].text)\" with this value is not supported by the embedded proxy", at: node.place)
    }

    // MARK: What all routes have in common

    /// Where all routes that forward say the same, the proxy says it once: the Host, and the limit of bodies.
    static func unify(_ proxy: inout ProxyConfiguration) {
        var forwarding: [ProxyRoute] = []
        proxy.forEachRoute { if case .forward = $0.action { forwarding.append($0) } }
        guard let first = forwarding.first else { return }
        if let limit = first.bodyLimit {
            proxy.limits.bodyLength = if case .bytes(let count) = limit { count } else { nil }
        }
        let host = first.host
        let isShared = forwarding.allSatisfy { $0.host == host }
        let header = host.flatMap { isShared ? Self.hostHeader($0) : nil }
        if let header { proxy.forwarding.hostHeader = header }
        proxy.changeRoutes { route in
            if route.bodyLimit == first.bodyLimit { route.bodyLimit = nil }
            if header != nil { route.requestFields.removeAll { $0.name == "Host" } }
        }
    }

    private static func hostHeader(_ text: String) -> ForwardingPolicy.HostHeader? {
        switch text {
        case "$host", "${host}": .normalized
        case "$http_host", "${http_host}": .original
        case _ where !text.isEmpty && !text.contains("$") && text.utf8.allSatisfy { $0 > 0x1F && $0 < 0x7F }: .fixed(text)
        default: nil
        }
    }
}

extension ProxyRoute {
    fileprivate var host: String? { self.requestFields.first { $0.name == "Host" }?.value.description }
}

extension ProxyConfiguration {
    /// All routes, those within others as well.
    func forEachRoute(_ body: (ProxyRoute) -> Void) {
        func visit(_ routes: [ProxyRoute]) {
            for route in routes {
                body(route)
                visit(route.routes)
            }
        }
        visit(self.routes)
        for host in self.hosts { visit(host.routes) }
    }

    mutating func changeRoutes(_ body: (inout ProxyRoute) -> Void) {
        func visit(_ routes: inout [ProxyRoute]) {
            for index in routes.indices {
                body(&routes[index])
                visit(&routes[index].routes)
            }
        }
        visit(&self.routes)
        for index in self.hosts.indices { visit(&self.hosts[index].routes) }
    }
}
