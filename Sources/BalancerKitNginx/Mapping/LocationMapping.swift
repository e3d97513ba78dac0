import BalancerKit
import BalancerKitProxy

/// A location as a route, and where it was written.
struct MappedLocation {
    var route: ProxyRoute
    var block: Int
    /// What `$proxy_host` is in it; nil where requests are refused.
    var proxyHost: String?
}

extension ConfigurationMapping {
    /// All locations of a server, nested ones beside the others: as prefixes of their outer ones they are longer, and so come first.
    mutating func locations(of server: Int) throws(NginxError) -> [MappedLocation] {
        var locations: [MappedLocation] = []
        var open = self.scope.own("location", in: server).reversed() as [Int]
        while let index = open.popLast() {
            if let location = try self.location(index) { locations.append(location) }
            open.append(contentsOf: self.scope.own("location", in: index).reversed())
        }
        guard !locations.isEmpty else {
            throw .unsupported("the server has no \"location\" with \"proxy_pass\"", at: self.scope.node(server).place)
        }
        return locations
    }

    private mutating func location(_ index: Int) throws(NginxError) -> MappedLocation? {
        let node = self.scope.node(index)
        let match = try LocationMatch(node)
        switch match.kind {
        case .prefix, .firmPrefix, .exact: break
        case .regularExpression:
            throw .unsupported("a location given by a regular expression is not supported by the embedded proxy", at: node.place)
        case .named: throw .unsupported("a named location is not supported by the embedded proxy", at: node.place)
        }
        guard match.name.hasPrefix("/") else {
            throw .unsupported("the embedded proxy compares paths, which begin with a slash", at: node.place)
        }
        guard let (action, proxyHost) = try self.action(index, match) else { return nil }
        var route = ProxyRoute(prefix: match.name, action: action)
        route.isExact = match.kind == .exact
        return MappedLocation(route: route, block: index, proxyHost: proxyHost)
    }

    private mutating func action(
        _ index: Int, _ match: LocationMatch
    ) throws(NginxError) -> (ProxyRoute.Action, proxyHost: String?)? {
        if let status = try self.refusal(index) { return (.refuse(status: status), nil) }
        guard let pass = self.scope.own("proxy_pass", in: index).first else {
            throw .unsupported(
                "files are not served by the embedded proxy: the location has no \"proxy_pass\"", at: self.scope.node(index).place)
        }
        let node = self.scope.node(pass)
        let target = try ProxyTarget(node)
        guard !target.hasVariables else {
            throw .unsupported("variables in \"proxy_pass\" are not supported by the embedded proxy", at: node.place)
        }
        guard !target.isTLS else { throw .unsupported("an upstream with https is not supported by the embedded proxy", at: node.place) }
        if let path = target.path { try self.checkPath(path, match, node) }
        if match.kind != .exact, match.name.count > 1, match.name.hasSuffix("/") {
            self.report.differs(self.scope.node(index), "\"\(match.name.dropLast())\" is not redirected to \"\(match.name)\"")
        }
        var upstream = try self.upstream(target, node)
        upstream.nextUpstream = self.nextUpstream(index)
        return (.forward(upstream), target.hostHeader)
    }

    /// The path replaces the location's prefix in nginx. The embedded proxy sends the target on as it came, which is the same for an equal
    /// path, unless the target is written in an unusual way.
    private mutating func checkPath(_ path: String, _ match: LocationMatch, _ node: NginxSyntaxTree.Node) throws(NginxError) {
        guard path == match.name else {
            throw .unsupported(
                "the embedded proxy does not rewrite paths: \"\(match.name)\" would become \"\(path)\"", at: node.place)
        }
        self.report.differs(node, "the path is forwarded as the client wrote it, not normalized")
    }

    private func upstream(_ target: ProxyTarget, _ node: NginxSyntaxTree.Node) throws(NginxError) -> UpstreamConfiguration {
        if case .host(let host, _)? = target.address?.place, let group = self.upstreams[host] { return group }
        guard let address = target.address?.endpointAddress else { throw .unsupported("an upstream without address", at: node.place) }
        var upstream = UpstreamConfiguration(endpoints: [Endpoint(address)])
        upstream.keepAlive.connections = 0
        do {
            _ = try EndpointSet(upstream.endpoints)
        } catch {
            throw .unsupported(error.message, at: node.place)
        }
        return upstream
    }

    /// The status with which every request to a location is refused: `return 4xx` and `deny all`.
    private mutating func refusal(_ index: Int) throws(NginxError) -> Int? {
        if let node = self.scope.own("return", in: index).first.map(self.scope.node) {
            guard let status = node.arguments.first.flatMap({ NginxQuantity.number($0.bytes) }), (400...599).contains(status), status != 444
            else { throw .unsupported("the embedded proxy refuses with a status of 400…599, and not with 444", at: node.place) }
            if node.words.count > 2 { self.report.differs(node, "the answer has a text of the proxy's own") }
            return status
        }
        guard let node = self.scope.own("deny", in: index).first.map(self.scope.node) else { return nil }
        guard node.words[1].text == "all" else { throw .unsupported("the embedded proxy denies all or none", at: node.place) }
        return 403
    }

    private mutating func nextUpstream(_ index: Int) -> NextUpstreamRules {
        var rules = NextUpstreamRules()
        if let node = self.scope.inherited("proxy_next_upstream", in: index).last {
            rules.conditions = []
            let words = node.arguments.map { $0.text.lowercased() }
            for word in words { rules.conditions.formUnion(Self.conditions[word] ?? []) }
            if words.contains("off") { rules.conditions = [] }
            if words.contains("updating") { self.report.hasNoEffect(node, "the condition \"updating\"") }
        }
        rules.tries = self.number("proxy_next_upstream_tries", in: index) ?? 0
        rules.timeout = self.time("proxy_next_upstream_timeout", in: index).flatMap { $0 > .zero ? $0 : nil }
        return rules
    }

    /// nginx's words for the conditions.
    static let conditions: [String: NextUpstreamRules.Conditions] = [
        "error": .error, "timeout": .timeout, "invalid_header": .invalidHeader, "http_500": .http500, "http_502": .http502,
        "http_503": .http503, "http_504": .http504, "http_403": .http403, "http_404": .http404, "http_429": .http429,
        "non_idempotent": .nonIdempotent,
    ]
}
