import BalancerKit
import BalancerKitProxy
import Logging

/// The zones of a configuration, by name.
struct MappedZones {
    var requests: [RequestZone] = []
    var connections: [ConnectionZone] = []

    /// Those that a proxy's routes name.
    func used(by proxy: ProxyConfiguration) -> ([RequestZone], [ConnectionZone]) {
        var names: (requests: Set<String>, connections: Set<String>) = ([], [])
        proxy.forEachRoute { route in
            names.requests.formUnion(route.limits.requests.map(\.zone))
            names.connections.formUnion(route.limits.connections.map(\.zone))
        }
        return (
            self.requests.filter { names.requests.contains($0.name) }, self.connections.filter { names.connections.contains($0.name) }
        )
    }
}

extension ConfigurationMapping {
    /// `limit_req_zone KEY zone=NAME:SIZE rate=RATE;` and `limit_conn_zone KEY zone=NAME:SIZE;`
    mutating func zones() throws(NginxError) -> MappedZones {
        var zones = MappedZones()
        for node in self.scope.own("limit_req_zone", in: self.http).map(self.scope.node) {
            let zone = try ZoneArguments(node)
            var request = RequestZone(name: zone.name, key: try self.key(node), rate: try self.rate(zone, node))
            request.maximumKeys = zone.keys(of: 128)
            zones.requests.append(request)
        }
        for node in self.scope.own("limit_conn_zone", in: self.http).map(self.scope.node) {
            let zone = try ZoneArguments(node)
            var connections = ConnectionZone(name: zone.name, key: try self.key(node))
            connections.maximumKeys = zone.keys(of: 64)
            zones.connections.append(connections)
        }
        return zones
    }

    private func rate(_ zone: ZoneArguments, _ node: NginxSyntaxTree.Node) throws(NginxError) -> RateLimit.Rate {
        guard zone.rate > 0 else { throw .unsupported("the embedded proxy has no rate of 0", at: node.place) }
        return zone.isPerMinute ? .perMinute(zone.rate) : .perSecond(zone.rate)
    }

    /// What the embedded proxy's limits can tell requests apart by.
    private func key(_ node: NginxSyntaxTree.Node) throws(NginxError) -> LimitKey {
        let text = node.words[1].text
        var parts: [LimitKey.Part] = []
        var rest = text[...]
        while !rest.isEmpty {
            let literal = rest.prefix { $0 != "$" }
            if !literal.isEmpty { parts.append(.text(String(literal))) }
            rest = rest[literal.endIndex...].dropFirst()
            guard literal.endIndex < text.endIndex else { break }
            let isBracketed = rest.hasPrefix("{")
            if isBracketed { rest = rest.dropFirst() }
            let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            rest = rest[name.endIndex...].dropFirst(isBracketed ? 1 : 0)
            parts.append(try self.part(String(name), node))
        }
        return LimitKey(parts)
    }

    private func part(_ name: String, _ node: NginxSyntaxTree.Node) throws(NginxError) -> LimitKey.Part {
        switch name {
        case "binary_remote_addr", "remote_addr": return .clientAddress
        case "host": return .host
        case "uri", "document_uri": return .path
        case "request_method": return .method
        case "server_name" where self.scope.own("server", in: self.http).count == 1: return .text("server")
        case _ where name.hasPrefix("http_") && name.count > 5:
            return .header(String(name.dropFirst(5).replacing("_", with: "-")))
        default: throw .unsupported("the key \"$\(name)\" is not supported by the embedded proxy", at: node.place)
        }
    }

    /// The limits that hold in a block, its own or those around it.
    mutating func limits(_ block: Int) throws(NginxError) -> TrafficLimits {
        var limits = TrafficLimits()
        for node in self.scope.inherited("limit_req", in: block) { limits.requests.append(try RequestLimitArguments(node).limit) }
        for node in self.scope.inherited("limit_conn", in: block) {
            limits.connections.append(
                ConnectionLimit(zone: Self.zoneName(node.words[1].text), connections: NginxQuantity.number(node.words[2].bytes) ?? 1))
        }
        try self.mapStatus("limit_req_status", in: block, to: &limits.requestStatus)
        try self.mapStatus("limit_conn_status", in: block, to: &limits.connectionStatus)
        limits.isRequestDryRun = self.flag("limit_req_dry_run", in: block) ?? false
        limits.isConnectionDryRun = self.flag("limit_conn_dry_run", in: block) ?? false
        limits.requestLogLevel = self.level("limit_req_log_level", in: block)
        limits.connectionLogLevel = self.level("limit_conn_log_level", in: block)
        return limits
    }

    private static func zoneName(_ text: String) -> String { text.hasPrefix("zone=") ? String(text.dropFirst(5)) : text }

    private func mapStatus(_ name: String, in block: Int, to status: inout Int) throws(NginxError) {
        guard let value = self.number(name, in: block) else { return }
        guard (400...599).contains(value) else {
            throw .unsupported("the embedded proxy refuses with a status of 400…599", at: self.scope.inherited(name, in: block).last?.place)
        }
        status = value
    }

    private func level(_ name: String, in block: Int) -> Logger.Level {
        switch self.scope.inherited(name, in: block).last?.words[1].text.lowercased() {
        case "info": .info
        case "notice": .notice
        case "warn": .warning
        default: .error
        }
    }
}
