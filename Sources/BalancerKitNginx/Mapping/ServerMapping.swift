import BalancerKit
import BalancerKitProxy

/// A server's routes, and where they were written.
struct MappedServer {
    var block: Int
    var names: [String]
    var routes: [ProxyRoute]
    /// Locations that forward, and what `$proxy_host` is in them.
    var forwarding: [(block: Int, proxyHost: String)]
    /// What its responses get, unless a location says otherwise.
    var responses = ResponseSettings()
}

extension ConfigurationMapping {
    /// - Parameter port: where clients come in, for `$server_port`.
    mutating func mapServer(_ server: Int, port: Int) throws(NginxError) -> MappedServer {
        for block in [server, self.scope.block(around: server)] where block >= 0 {
            if let node = self.scope.own("deny", in: block).first.map(self.scope.node) {
                throw .unsupported("\"deny\" outside of a location is not supported by the embedded proxy", at: node.place)
            }
        }
        let names = try self.names(of: server)
        let place = LocationPlace(names: names, port: port)
        let responses = try self.responses(ofServer: server, place)
        if let node = self.scope.own("return", in: server).first.map(self.scope.node) {
            for index in self.scope.own("location", in: server) {
                self.report.hasNoEffect(self.scope.node(index), "the server answers before a location is looked for")
            }
            let route = ProxyRoute(prefix: "/", action: try self.answer(node, in: server, place))
            return MappedServer(block: server, names: names, routes: [route], forwarding: [], responses: responses)
        }
        var mapped = MappedServer(block: server, names: names, routes: [], forwarding: [], responses: responses)
        mapped.routes = try self.routes(in: server, place, depth: 0, &mapped.forwarding)
        let takesAll = mapped.routes.contains { $0.prefix == "/" && $0.expression == nil && !$0.isExact }
        return takesAll ? mapped : try self.serverOfFiles(mapped, place)
    }

    /// Names in lower case; `$hostname` is this machine's, which nothing here knows.
    private mutating func names(of server: Int) throws(NginxError) -> [String] {
        var names: [String] = []
        for node in self.scope.own("server_name", in: server).map(self.scope.node) {
            for word in node.arguments {
                let name = word.text
                guard name != "$hostname" else {
                    throw .unsupported("\"$hostname\" in \"server_name\" is not supported by the embedded proxy", at: node.place)
                }
                guard name.hasPrefix("~") else {
                    names.append(name.lowercased())
                    continue
                }
                do {
                    _ = try PathExpression(String(name.dropFirst()))
                } catch {
                    throw .unsupported(error.message, at: node.place)
                }
                names.append(name)
            }
        }
        return names
    }

    /// The other servers by their names. What is the default one needs no names, unless another's masks would take them.
    mutating func mapHosts(_ servers: [MappedServer], usual: Int, to proxy: inout ProxyConfiguration) throws(NginxError) {
        guard servers.count > 1 else {
            for node in self.scope.own("server_name", in: servers[0].block).map(self.scope.node) {
                self.report.hasNoEffect(node, "the only server of its address takes every name")
            }
            return
        }
        for server in servers {
            for name in server.names where (try? HostTable([[name]])) == nil {
                let node = self.scope.own("server_name", in: server.block).first ?? server.block
                throw .invalid("invalid server name or wildcard \"\(name)\"", self.scope.node(node))
            }
        }
        var seen: Set<String> = []
        let hasMasks = servers.enumerated().contains { index, server in
            index != usual && server.names.contains { $0.hasPrefix("~") || $0.contains("*") || $0.hasPrefix(".") }
        }
        for (index, server) in servers.enumerated() {
            // nginx gives a server without a name the empty one: it takes requests that name no host.
            let own = server.names.isEmpty ? [""] : server.names
            for name in own where !seen.insert(name).inserted {
                let node = self.scope.own("server_name", in: server.block).first ?? server.block
                self.report.differs(self.scope.node(node), "conflicting server name \"\(name)\", ignored")
            }
            if index == usual {
                // Names of an empty list of routes lead to the default server.
                if hasMasks { proxy.hosts.append(ProxyHost(names: own, routes: [])) }
            } else {
                var host = ProxyHost(names: own, routes: server.routes)
                host.responses = Self.responses(server.responses, besides: servers[usual].responses)
                proxy.hosts.append(host)
            }
        }
    }

    // MARK: What holds for all requests

    func mapProcess(to proxy: inout ProxyConfiguration) throws(NginxError) {
        if let workers = self.scope.own("worker_processes", in: -1).first.map(self.scope.node)?.arguments.first {
            proxy.threads = NginxQuantity.number(workers.bytes).map { min(max($0, 1), 1024) }
        }
        if let shutdown = self.time("worker_shutdown_timeout", in: -1) { proxy.timeouts.shutdown = shutdown }
    }

    /// What nginx takes from the default server, since it is needed before the host is known.
    mutating func mapUsualServer(_ server: MappedServer, to proxy: inout ProxyConfiguration) throws(NginxError) {
        try self.mapTime("client_header_timeout", in: server.block, to: &proxy.timeouts.clientHead)
        try self.mapBuffers(server.block, to: &proxy.limits)
        proxy.forwarding.defaultHost = server.names.first(where: Self.isPlainName) ?? "localhost"
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
