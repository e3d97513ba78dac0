import BalancerKit
import BalancerKitProxy

/// Turns a checked configuration into the embedded proxy's, and keeps account of what has no effect.
struct ConfigurationMapping {
    let scope: DirectiveScope
    private let context: NginxContext
    var report = CompatibilityReport()
    /// The block that stands for `http`; the top in a fragment.
    private var http = -1
    var upstreams: [String: UpstreamConfiguration] = [:]

    init(_ scope: DirectiveScope, _ context: NginxContext) {
        self.scope = scope
        self.context = context
    }

    mutating func map() throws(NginxError) -> ProxyConfiguration {
        if self.context == .main {
            guard let http = self.scope.own("http", in: -1).first else { throw .unsupported("there is no \"http\" to serve", at: nil) }
            self.http = http
        }
        try self.account()
        for index in self.scope.own("upstream", in: self.http) { try self.mapUpstream(index) }
        let server = try self.onlyServer()
        let locations = try self.locations(of: server)
        var proxy = ProxyConfiguration(routes: locations.map(\.route))
        try self.mapListen(server, to: &proxy)
        try self.mapProcess(to: &proxy)
        try self.mapServer(server, to: &proxy)
        try self.mapShared(locations, server, to: &proxy)
        self.sortReport()
        return proxy
    }

    private func onlyServer() throws(NginxError) -> Int {
        let servers = self.scope.own("server", in: self.http)
        guard let first = servers.first else { throw .unsupported("there is no \"server\" to serve", at: nil) }
        guard servers.count == 1 else {
            throw .unsupported("the embedded proxy has one \"server\": this is a second one", at: self.scope.node(servers[1]).place)
        }
        return first
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
        case "auth_basic", "auth_request", "ssl", "ssi", "userid", "dav_methods", "mirror", "proxy_bind", "proxy_cookie_path",
            "proxy_cookie_domain", "proxy_cookie_flags", "random_index":
            node.words[1].text.lowercased() == "off"
        default: false
        }
    }
}
