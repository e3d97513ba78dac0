import BalancerKit
import BalancerKitProxy

/// What variables of a location stand for that do not change from request to request, and what its expressions capture.
struct LocationPlace {
    var names: [String]
    var port: Int
    var groups: [String] = []

    /// Values by variable.
    var constants: [String: String] {
        ["server_name": self.names.first ?? "", "server_port": "\(self.port)", "server_protocol_major": "1"]
    }
}

extension ConfigurationMapping {
    private static let deepest = 60

    /// The locations of a block, with those within them.
    mutating func routes(
        in block: Int, _ place: LocationPlace, depth: Int, _ forwarding: inout [(block: Int, proxyHost: String)]
    ) throws(NginxError) -> [ProxyRoute] {
        var routes: [ProxyRoute] = []
        var redirected: [(route: ProxyRoute, block: Int)] = []
        for index in self.scope.own("location", in: block) {
            let node = self.scope.node(index)
            guard depth < Self.deepest else {
                throw .unsupported("the embedded proxy has locations at most \(Self.deepest) deep", at: node.place)
            }
            guard let route = try self.route(index, place, depth: depth, &forwarding) else { continue }
            if route.expression == nil, route.prefix.count > 1, route.prefix.hasSuffix("/"), case .forward = route.action {
                redirected.append((route, index))
            }
            routes.append(route)
        }
        for (route, block) in redirected { routes += try self.redirection(to: route, block, besides: routes) }
        return routes
    }

    /// Where requests to `/a/` are forwarded, nginx redirects `/a` there, unless that is a location of its own.
    private func redirection(to target: ProxyRoute, _ block: Int, besides routes: [ProxyRoute]) throws(NginxError) -> [ProxyRoute] {
        let prefix = target.prefix
        let path = String(prefix.dropLast())
        guard !routes.contains(where: { $0.expression == nil && $0.prefix == path }) else { return [] }
        do {
            var answer = FixedAnswer(redirect: 301, to: try RequestTemplate("\(Self.escaped(prefix))$is_args$args"))
            answer.makesLocationAbsolute = self.flag("absolute_redirect", in: block) ?? true
            var route = ProxyRoute(prefix: path, action: .answer(answer))
            route.isExact = true
            route.responses = target.responses
            return [route]
        } catch {
            throw .unsupported("the location \"\(prefix)\" cannot be redirected to: \(error.message)", at: nil)
        }
    }

    /// As nginx writes a location's name into a redirection.
    private static func escaped(_ path: String) -> String {
        path.utf8.map { byte in
            let isRisky = byte <= 0x20 || byte >= 0x7F || "\"#%<>?\\^`{|}$".utf8.contains(byte)
            return isRisky ? "%" + String(UInt16(byte) + 0x100, radix: 16, uppercase: true).dropFirst() : String(UnicodeScalar(byte))
        }.joined()
    }

    private mutating func route(
        _ index: Int, _ place: LocationPlace, depth: Int, _ forwarding: inout [(block: Int, proxyHost: String)]
    ) throws(NginxError) -> ProxyRoute? {
        let node = self.scope.node(index)
        let match = try LocationMatch(node)
        if match.kind == .named {
            self.report.hasNoEffect(node, "nothing leads to a named location")
            return nil
        }
        var place = place
        var expression: PathExpression?
        if case .regularExpression(let ignoresCase) = match.kind {
            do {
                expression = try PathExpression(match.name, ignoresCase: ignoresCase)
                place.groups += expression?.groupNames ?? []
            } catch {
                throw .unsupported(error.message, at: node.place)
            }
        } else if !match.name.hasPrefix("/") {
            throw .unsupported("the embedded proxy compares paths, which begin with a slash", at: node.place)
        }
        var inner = ProxyRoute(prefix: expression == nil ? match.name : "/", action: .close)
        inner.isExact = match.kind == .exact
        inner.isFirm = match.kind == .firmPrefix
        inner.expression = expression
        try self.mapAction(index, match, place, to: &inner, &forwarding)
        inner.responses = try self.responses(ofLocation: index, place)
        // nginx returns before it looks at limits.
        if self.scope.own("return", in: index).isEmpty { inner.limits = try self.limits(index) }
        inner.routes = try self.routes(in: index, place, depth: depth + 1, &forwarding)
        return inner
    }

    private mutating func mapAction(
        _ index: Int, _ match: LocationMatch, _ place: LocationPlace, to route: inout ProxyRoute,
        _ forwarding: inout [(block: Int, proxyHost: String)]
    ) throws(NginxError) {
        if let node = self.scope.own("return", in: index).first.map(self.scope.node) {
            route.action = try self.answer(node, in: index, place)
            return
        }
        if let node = self.scope.own("deny", in: index).first.map(self.scope.node) {
            guard node.words[1].text == "all" else { throw .unsupported("the embedded proxy denies all or none", at: node.place) }
            route.action = .refuse(status: 403)
            return
        }
        guard let pass = self.scope.own("proxy_pass", in: index).first else {
            route.action = .files(try self.files(index, match))
            return
        }
        let node = self.scope.node(pass)
        let target = try ProxyTarget(node)
        guard !target.hasVariables else {
            throw .unsupported("variables in \"proxy_pass\" are not supported by the embedded proxy", at: node.place)
        }
        guard !target.isTLS else { throw .unsupported("an upstream with https is not supported by the embedded proxy", at: node.place) }
        if let path = target.path { route.replacementPath = try self.replacement(path, node) }
        var upstream = try self.upstream(target, node)
        upstream.nextUpstream = self.nextUpstream(index)
        route.action = .forward(upstream)
        route.bodyLimit = self.bodyLimit(index)
        try self.mapFields(index, target.hostHeader, place, to: &route)
        forwarding.append((index, target.hostHeader))
    }

    private func replacement(_ path: String, _ node: NginxSyntaxTree.Node) throws(NginxError) -> String {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != .numberSign }) else {
            throw .unsupported(
                "the embedded proxy takes a path that begins with a slash, in ASCII without spaces and fragment", at: node.place)
        }
        return path
    }

    private func bodyLimit(_ block: Int) -> BodyLimit {
        let length = self.size("client_max_body_size", in: block) ?? 1 << 20
        return length == 0 ? .unlimited : .bytes(length)
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
