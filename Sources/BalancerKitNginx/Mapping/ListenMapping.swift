import BalancerKitProxy

/// An address, and the servers that share it.
struct ListenGroup {
    struct Server {
        var block: Int
        var isDefault: Bool
        var isTLS: Bool
    }

    var place: ListenAddress.Place
    var servers: [Server] = []
    var backlog: Int?
    var reusesPort = false
    /// The first `listen` that mentions it; nil where there is none, which is port 80.
    var node: NginxSyntaxTree.Node?

    var isTLS: Bool { self.servers.contains { $0.isTLS } }
    var defaultIndex: Int { self.servers.firstIndex { $0.isDefault } ?? 0 }

    var port: Int {
        switch self.place {
        case .all4(let port), .all6(let port), .host(_, let port): port
        case .unix: 80
        }
    }

    /// As nginx's messages have it.
    var description: String {
        switch self.place {
        case .all4(let port): "0.0.0.0:\(port)"
        case .all6(let port): "[::]:\(port)"
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension ConfigurationMapping {
    /// nginx's backlog on Linux.
    private static let usualBacklog = 511

    /// The addresses in the order in which they are mentioned, each with its servers in theirs.
    mutating func listenGroups() throws(NginxError) -> [ListenGroup] {
        let servers = self.scope.own("server", in: self.http)
        guard !servers.isEmpty else { throw .unsupported("there is no \"server\" to serve", at: nil) }
        var groups: [ListenGroup] = []
        for server in servers {
            let nodes = self.scope.own("listen", in: server).map(self.scope.node)
            if nodes.isEmpty { self.add(server, nil, ListenAddress(place: .all4(port: 80)), to: &groups) }
            for node in nodes {
                let address = try ListenAddress(node)
                try self.checkFeatures(address, node)
                self.add(server, node, address, to: &groups)
            }
        }
        return try self.mergingFamilies(groups)
    }

    private func add(_ server: Int, _ node: NginxSyntaxTree.Node?, _ address: ListenAddress, to groups: inout [ListenGroup]) {
        let index = groups.firstIndex { $0.place == address.place } ?? groups.count
        if index == groups.count { groups.append(ListenGroup(place: address.place, node: node)) }
        groups[index].servers.append(.init(block: server, isDefault: address.isDefault, isTLS: address.isTLS))
        groups[index].backlog = groups[index].backlog ?? address.backlog
        groups[index].reusesPort = groups[index].reusesPort || address.reusesPort
    }

    /// `listen 80; listen [::]:80;` is one socket for both families, if the same servers are on both. What else shares a port with all
    /// addresses cannot be bound beside them.
    private mutating func mergingFamilies(_ groups: [ListenGroup]) throws(NginxError) -> [ListenGroup] {
        var merged: [ListenGroup] = []
        for var group in groups {
            if let other = merged.firstIndex(where: { Self.areFamilies($0.place, group.place) }) {
                let isSame = merged[other].servers.elementsEqual(group.servers) {
                    $0.block == $1.block && $0.isDefault == $1.isDefault && $0.isTLS == $1.isTLS
                }
                guard isSame else {
                    throw .unsupported(
                        "the embedded proxy serves both families of one port alike, and this one has other servers", at: group.node?.place)
                }
                merged[other].place = .all6(port: group.port)
                if let node = group.node { self.report.differs(node, "one socket takes both IPv4 and IPv6") }
                continue
            }
            if case .all6 = group.place { group.place = .all6(port: group.port) }
            merged.append(group)
        }
        for group in merged {
            guard case .host = group.place, merged.contains(where: { Self.isAll($0.place) && $0.port == group.port }) else { continue }
            throw .unsupported("the embedded proxy cannot listen on one address and on all of them by the same port", at: group.node?.place)
        }
        return merged
    }

    private static func areFamilies(_ left: ListenAddress.Place, _ right: ListenAddress.Place) -> Bool {
        switch (left, right) {
        case (.all4(let one), .all6(let other)), (.all6(let one), .all4(let other)): one == other
        default: false
        }
    }

    private static func isAll(_ place: ListenAddress.Place) -> Bool {
        switch place {
        case .all4, .all6: true
        case .host, .unix: false
        }
    }

    private mutating func checkFeatures(_ address: ListenAddress, _ node: NginxSyntaxTree.Node) throws(NginxError) {
        if address.isProxyProtocol { throw .unsupported("\"proxy_protocol\" is not supported by the embedded proxy", at: node.place) }
        if address.isHTTP2 {
            // A client that may speak HTTP/2 may also speak HTTP/1.1; without TLS nothing tells them apart.
            guard address.isTLS else { throw .unsupported("\"http2\" is not supported by the embedded proxy", at: node.place) }
            self.report.hasNoEffect(node, "the parameter \"http2\": clients are spoken to in HTTP/1.1")
        }
        if case .unix(let path) = address.place, path.utf8.count > 103 {
            throw .unsupported("the embedded proxy takes a socket's path of at most 103 bytes", at: node.place)
        }
        if case .unix = address.place, address.reusesPort { throw .unsupported("there is no port to reuse", at: node.place) }
        for parameter in address.inert { self.report.hasNoEffect(node, "the parameter \"\(parameter)\"") }
    }

    mutating func map(_ group: ListenGroup, to proxy: inout ProxyConfiguration) throws(NginxError) {
        proxy.backlog = group.backlog ?? Self.usualBacklog
        proxy.reusesPort = group.reusesPort
        switch group.place {
        case .all4(let port): (proxy.host, proxy.port) = ("0.0.0.0", port)
        case .all6(let port): (proxy.host, proxy.port) = ("::", port)
        case .host(let host, let port): (proxy.host, proxy.port) = (host, port)
        case .unix(let path): proxy.unixSocket = path
        }
    }
}
