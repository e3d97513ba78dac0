import BalancerKit
import BalancerKitProxy

/// Turns a checked configuration into the embedded proxy's, and keeps account of what has no effect.
struct ConfigurationMapping {
    let scope: DirectiveScope
    private let context: NginxContext
    /// Where relative names begin, without the last slash.
    let prefix: String
    var report = CompatibilityReport()
    /// The block that stands for `http`; the top in a fragment.
    private(set) var http = -1
    var upstreams: [String: UpstreamConfiguration] = [:]
    /// Variables of `map`s that follow `$http_upgrade`.
    private(set) var upgradeVariables: Set<String> = []

    init(_ scope: DirectiveScope, _ context: NginxContext, prefix: String) {
        self.scope = scope
        self.context = context
        self.prefix = prefix
    }

    /// One proxy for each address, in the order in which the addresses are mentioned.
    mutating func map() throws(NginxError) -> [ProxyConfiguration] {
        if self.context == .main {
            guard let http = self.scope.own("http", in: -1).first else { throw .unsupported("there is no \"http\" to serve", at: nil) }
            self.http = http
        }
        try self.account()
        self.mapUpgradeVariables()
        for index in self.scope.own("upstream", in: self.http) { try self.mapUpstream(index) }
        let zones = try self.zones()
        var proxies: [ProxyConfiguration] = []
        for group in try self.listenGroups() {
            var proxy = try self.proxy(for: group)
            (proxy.requestZones, proxy.connectionZones) = zones.used(by: proxy)
            do {
                try proxy.validate()
            } catch {
                // What is accepted here must also run.
                throw .unsupported(error.message, at: group.node?.place)
            }
            if !proxies.isEmpty {
                self.report.differs(group.node ?? self.scope.node(group.servers[0].block), "this address is served by a proxy of its own")
            }
            proxies.append(proxy)
        }
        self.sortReport()
        return proxies
    }

    private mutating func proxy(for group: ListenGroup) throws(NginxError) -> ProxyConfiguration {
        var servers: [MappedServer] = []
        for server in group.servers { servers.append(try self.mapServer(server.block, port: group.port)) }
        let usual = group.defaultIndex
        var proxy = ProxyConfiguration(routes: servers[usual].routes)
        proxy.responses = servers[usual].responses
        try self.map(group, to: &proxy)
        try self.mapProcess(to: &proxy)
        try self.mapUsualServer(servers[usual], to: &proxy)
        try self.mapShared(servers, to: &proxy)
        try self.mapHosts(servers, usual: usual, to: &proxy)
        try self.mapTLS(group, servers, to: &proxy)
        Self.unify(&proxy)
        return proxy
    }

    private mutating func sortReport() {
        var files: [String: Int] = [:]
        for node in self.scope.tree.nodes where files[node.place.file] == nil { files[node.place.file] = files.count }
        self.report.sort(files: files)
    }

    // MARK: What is not mapped

    /// Reports every directive without effect, and refuses the first that cannot be done without.
    private mutating func account() throws(NginxError) {
        for index in self.scope.tree.nodes.indices {
            let node = self.scope.node(index)
            guard !node.isComment, let rule = self.rule(of: index) else { continue }
            switch rule.treatment {
            case .mapped: break
            case .inert where node.name == "error_log": self.report.hasNoEffect(node, "messages go to the process's own log")
            case .inert: self.report.hasNoEffect(node)
            case .refused where Self.isNeutral(node): self.report.hasNoEffect(node)
            case .refused:
                throw .unsupported("\"\(node.name)\" is not supported by the embedded proxy", at: node.place)
            }
        }
    }

    private func rule(of index: Int) -> DirectiveRule? {
        let around = self.scope.block(around: index)
        guard let rules = DirectiveTable.rules[self.scope.node(index).name] else { return nil }
        guard around >= 0 else { return rules.first }
        let block = self.scope.node(around).name
        if ["types", "map", "geo", "split_clients", "charset_map"].contains(block) { return nil }
        return rules.first { rule in rules.count == 1 || (block == "upstream") == (rule.blocks == [.upstream]) }
    }

    /// Whether it says what holds anyway.
    private static func isNeutral(_ node: NginxSyntaxTree.Node) -> Bool {
        guard node.words.count == 2, !node.hasBlock else { return false }
        return switch node.name {
        case "satisfy", "allow": node.words[1].text == "all"
        case "proxy_pass_request_headers", "proxy_pass_request_body": node.words[1].text.lowercased() == "on"
        case "auth_basic", "auth_request", "ssl", "ssl_verify_client", "ssi", "userid", "dav_methods", "mirror", "proxy_bind",
            "proxy_cookie_path",
            "proxy_cookie_domain", "proxy_cookie_flags", "random_index":
            node.words[1].text.lowercased() == "off"
        default: false
        }
    }

    /// `map $http_upgrade $connection_upgrade { default upgrade; '' close; }`: the one `map` that is understood.
    private mutating func mapUpgradeVariables() {
        for index in self.scope.own("map", in: self.http) {
            let node = self.scope.node(index)
            if node.words.count == 3, node.words[1].text == "$http_upgrade" {
                self.upgradeVariables.insert(node.words[2].text)
            } else {
                self.report.hasNoEffect(node, "where its variable is used, the file is refused")
            }
        }
        for name in ["geo", "split_clients"] {
            for index in self.scope.own(name, in: self.http) {
                self.report.hasNoEffect(self.scope.node(index), "where its variable is used, the file is refused")
            }
        }
    }
}
