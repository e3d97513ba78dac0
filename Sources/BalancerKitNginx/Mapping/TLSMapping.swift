import BalancerKitProxy

extension ConfigurationMapping {
    /// The certificates of an address, each for its server's names.
    mutating func mapTLS(_ group: ListenGroup, _ servers: [MappedServer], to proxy: inout ProxyConfiguration) throws(NginxError) {
        guard group.isTLS else {
            for server in servers {
                for name in ["ssl_certificate", "ssl_certificate_key"] {
                    for node in self.scope.own(name, in: server.block).map(self.scope.node) {
                        self.report.hasNoEffect(node, "where \"listen\" has no \"ssl\"")
                    }
                }
            }
            return
        }
        guard group.servers.allSatisfy(\.isTLS) || group.servers[group.defaultIndex].isTLS else {
            throw .unsupported("the embedded proxy speaks TLS with all servers of an address or with none", at: group.node?.place)
        }
        var tls = ProxyTLS(certificates: [])
        let usual = servers[group.defaultIndex]
        if self.flag("ssl_reject_handshake", in: usual.block) == true {
            tls.refusesUnknownNames = true
        } else {
            try self.addCertificates(of: usual, names: [], to: &tls)
        }
        for (index, server) in servers.enumerated() where index != group.defaultIndex {
            try self.addCertificates(of: server, names: server.names.filter(Self.isName), to: &tls)
        }
        guard !tls.certificates.isEmpty else { throw .unsupported("the address has no certificate", at: group.node?.place) }
        try self.mapVersions(usual.block, to: &tls)
        tls.handshakeTimeout = self.time("client_header_timeout", in: usual.block) ?? .seconds(60)
        proxy.tls = tls
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("~") && !name.hasSuffix("*") && !name.hasPrefix(".") && name != "_"
    }

    private func addCertificates(of server: MappedServer, names: [String], to tls: inout ProxyTLS) throws(NginxError) {
        if self.flag("ssl_reject_handshake", in: server.block) == true {
            throw .unsupported(
                "\"ssl_reject_handshake\" of another server than the default one is not supported by the embedded proxy",
                at: self.scope.inherited("ssl_reject_handshake", in: server.block).last?.place)
        }
        let chains = self.scope.inherited("ssl_certificate", in: server.block)
        let keys = self.scope.inherited("ssl_certificate_key", in: server.block)
        guard let chain = chains.first else { return }
        guard let key = keys.first else {
            throw .invalid("no \"ssl_certificate_key\" is defined for certificate \"\(chain.words[1].text)\"", chain)
        }
        guard chains.count == 1 else {
            throw .unsupported("several certificates of one server are not supported by the embedded proxy", at: chains[1].place)
        }
        let files = try [chain, key].map { (node) throws(NginxError) in try self.file(node) }
        tls.certificates.append(.init(chainFile: files[0], keyFile: files[1], serverNames: names))
    }

    private func file(_ node: NginxSyntaxTree.Node) throws(NginxError) -> String {
        let name = node.words[1].text
        guard !name.contains("$"), !name.hasPrefix("data:"), !name.hasPrefix("engine:"), !name.utf8.contains(0) else {
            throw .unsupported("\"\(node.name)\" must be a file for the embedded proxy", at: node.place)
        }
        return ConfigurationFile.path(name, below: self.prefix)
    }

    /// Older versions than 1.2 are not offered, whatever is said.
    private mutating func mapVersions(_ block: Int, to tls: inout ProxyTLS) throws(NginxError) {
        guard let node = self.scope.inherited("ssl_protocols", in: block).last else { return }
        let words = Set(node.arguments.map { $0.text.lowercased() })
        if !words.isDisjoint(with: ["sslv2", "sslv3", "tlsv1", "tlsv1.1"]) {
            self.report.differs(node, "versions before TLSv1.2 are not offered")
        }
        guard words.contains("tlsv1.2") || words.contains("tlsv1.3") else {
            throw .unsupported("the embedded proxy speaks TLSv1.2 and TLSv1.3", at: node.place)
        }
        tls.minimumVersion = words.contains("tlsv1.2") ? .tls12 : .tls13
        tls.maximumVersion = words.contains("tlsv1.3") ? .tls13 : .tls12
    }
}
