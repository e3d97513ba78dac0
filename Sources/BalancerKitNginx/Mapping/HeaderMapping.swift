import BalancerKitProxy

extension ConfigurationMapping {
    /// Reads a location's `proxy_set_header`s: Host is a setting, the others must be what the embedded proxy does anyway.
    mutating func host(_ block: Int, _ proxyHost: String) throws(NginxError) -> ForwardingPolicy.HostHeader {
        var host = ForwardingPolicy.HostHeader.fixed(proxyHost.isEmpty ? "localhost" : proxyHost)
        let nodes = self.scope.inherited("proxy_set_header", in: block)
        var names: Set<String> = []
        for node in nodes {
            let (name, value) = (node.words[1].text.lowercased(), node.words[2].text)
            names.insert(name)
            if name == "host" {
                host = try self.hostHeader(value, proxyHost, node)
            } else {
                try self.checkHeader(name, value, node)
            }
        }
        let unset = Self.alwaysSent.filter { !names.contains($0.lowercased()) }
        if !unset.isEmpty, let around = nodes.first ?? self.pass(block) {
            self.report.differs(around, "the embedded proxy also sends \(unset.joined(separator: ", ")) of its own")
        }
        return host
    }

    private static let alwaysSent = ["X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]

    private func pass(_ block: Int) -> NginxSyntaxTree.Node? { self.scope.own("proxy_pass", in: block).first.map(self.scope.node) }

    private func hostHeader(
        _ value: String, _ proxyHost: String, _ node: NginxSyntaxTree.Node
    ) throws(NginxError) -> ForwardingPolicy.HostHeader {
        switch value {
        case "$host", "${host}": return .normalized
        case "$http_host", "${http_host}": return .original
        case "$proxy_host", "${proxy_host}": return .fixed(proxyHost)
        default:
            guard !value.isEmpty, !value.contains("$"), value.utf8.allSatisfy({ $0 > 0x1F && $0 < 0x7F }) else {
                throw Self.unsupported(node)
            }
            return .fixed(value)
        }
    }

    private mutating func checkHeader(_ name: String, _ value: String, _ node: NginxSyntaxTree.Node) throws(NginxError) {
        switch (name, value) {
        case ("x-real-ip", "$remote_addr"), ("x-forwarded-for", "$remote_addr"), ("x-forwarded-proto", "$scheme"),
            ("x-forwarded-proto", "http"), ("x-forwarded-host", "$http_host"), ("connection", ""), ("connection", "keep-alive"):
            break
        case ("x-forwarded-for", "$proxy_add_x_forwarded_for"):
            self.report.differs(node, "a client's own X-Forwarded-For is replaced, not extended")
        case ("x-forwarded-host", "$host"):
            self.report.differs(node, "X-Forwarded-Host keeps the port that the client named")
        case ("upgrade", "$http_upgrade"), ("connection", "upgrade"), ("connection", "$connection_upgrade"):
            self.report.hasNoEffect(node, "upgrades are not offered")
        case ("connection", "close"):
            self.report.hasNoEffect(node, "the embedded proxy decides by \"keepalive\"")
        default: throw Self.unsupported(node)
        }
    }

    private static func unsupported(_ node: NginxSyntaxTree.Node) -> NginxError {
        .unsupported(
            "\"proxy_set_header \(node.words[1].text)\" with this value is not supported by the embedded proxy", at: node.place)
    }
}
