import BalancerKit
import BalancerKitProxy

extension ConfigurationMapping {
    /// An `upstream` block.
    mutating func mapUpstream(_ index: Int) throws(NginxError) {
        let node = self.scope.node(index)
        var endpoints: [Endpoint] = []
        for server in self.scope.own("server", in: index) {
            let endpoint = try UpstreamServer(self.scope.node(server)).endpoint
            guard !endpoints.contains(where: { $0.address == endpoint.address }) else {
                throw .unsupported("the address \(endpoint.address) is listed twice", at: self.scope.node(server).place)
            }
            endpoints.append(endpoint)
        }
        var upstream = UpstreamConfiguration(endpoints: endpoints)
        (upstream.strategy, upstream.key) = try self.strategy(index, endpoints)
        self.mapKeepAlive(index, to: &upstream.keepAlive)
        do {
            _ = try EndpointSet(endpoints)
        } catch {
            throw .unsupported(error.message, at: node.place)
        }
        self.upstreams[node.words[1].text.lowercased()] = upstream
    }

    private mutating func strategy(
        _ upstream: Int, _ endpoints: [Endpoint]
    ) throws(NginxError) -> (any BalancingStrategy, UpstreamKey?) {
        let methods = ["least_conn", "random", "ip_hash", "hash"].flatMap { self.scope.own($0, in: upstream) }.sorted()
        for redefined in methods.dropLast() {
            self.report.hasNoEffect(self.scope.node(redefined), "the load balancing method is redefined")
        }
        guard let last = methods.last.map(self.scope.node) else { return (.roundRobin, nil) }
        guard last.name != "least_conn" else { return (.leastConnections, nil) }
        if endpoints.contains(where: \.isBackup) {
            throw .invalid(#"balancing method does not support parameter "backup""#, last)
        }
        switch last.name {
        case "random": return (try RandomChoice(last).isOfTwo ? .powerOfTwoChoices : WeightedRandom(), nil)
        case "ip_hash": return (.networkHash, .clientNetwork)
        default: return try self.hash(last, endpoints)
        }
    }

    /// `hash KEY [consistent];`
    private func hash(
        _ node: NginxSyntaxTree.Node, _ endpoints: [Endpoint]
    ) throws(NginxError) -> (any BalancingStrategy, UpstreamKey?) {
        let key = UpstreamKey.text(try self.template(node.words[1].text, node, LocationPlace(names: [], port: 80)))
        guard node.words.count == 3 else { return (.keyHash, key) }
        guard endpoints.reduce(0, { $0 + min($1.weight, 10_000) }) <= 6000 else {
            throw .unsupported("the embedded proxy takes weights of at most 6000 together with \"consistent\"", at: node.place)
        }
        return (.consistentHash, key)
    }

    private func mapKeepAlive(_ upstream: Int, to keepAlive: inout UpstreamKeepAlive) {
        func own(_ name: String) -> [UInt8]? {
            self.scope.own(name, in: upstream).first.map(self.scope.node)?.arguments.first?.bytes
        }
        keepAlive.connections = own("keepalive").flatMap { NginxQuantity.number($0) } ?? 0
        keepAlive.requests = max(1, own("keepalive_requests").flatMap { NginxQuantity.number($0) } ?? 1000)
        keepAlive.time = .milliseconds(own("keepalive_time").flatMap { NginxQuantity.time($0, in: .milliseconds) } ?? 3_600_000)
        keepAlive.idle = .milliseconds(own("keepalive_timeout").flatMap { NginxQuantity.time($0, in: .milliseconds) } ?? 60_000)
    }

    /// A number that stands in the block itself or around it.
    func number(_ name: String, in block: Int) -> Int? {
        self.scope.inherited(name, in: block).last?.arguments.first.flatMap { NginxQuantity.number($0.bytes) }
    }

    func size(_ name: String, in block: Int) -> Int? {
        self.scope.inherited(name, in: block).last?.arguments.first.flatMap { NginxQuantity.size($0.bytes, allowsGiga: true) }
    }

    func time(_ name: String, in block: Int) -> Duration? {
        let word = self.scope.inherited(name, in: block).last?.arguments.first
        return word.flatMap { NginxQuantity.time($0.bytes, in: .milliseconds) }.map { .milliseconds($0) }
    }
}
