/// A route that was checked and made ready.
final class PlannedRoute: Sendable {
    enum Action: Sendable {
        case forward(UpstreamGroup)
        case files(FileSite)
        case refuse(status: Int)
        case answer(FixedAnswer)
        case close
    }

    let action: Action
    /// Nil where nothing is limited, which is asked of every request.
    let limits: PlannedLimits?
    /// How requests are forwarded otherwise than as they came; nil where they are not.
    let rule: ForwardRule?
    let upgrades: UpgradePolicy

    init(_ action: Action, _ limits: PlannedLimits?, _ rule: ForwardRule? = nil, _ upgrades: UpgradePolicy = .never) {
        self.action = action
        self.limits = limits
        self.rule = rule
        self.upgrades = upgrades
    }
}

/// The routes of all hosts, made ready.
struct PlannedRoutes: Sendable {
    /// Of a host that has none of its own.
    let usual: RouteTable<PlannedRoute>
    /// Nil where a host has no routes of its own, and so the usual ones.
    let hosts: [RouteTable<PlannedRoute>?]
    let names: HostTable

    /// - Parameter plan: makes one route ready.
    init(_ configuration: ProxyConfiguration, _ plan: (ProxyRoute) throws(ProxyError) -> PlannedRoute) throws(ProxyError) {
        self.usual = RouteTable(try Self.planned(configuration.routes, plan))
        var hosts: [RouteTable<PlannedRoute>?] = []
        for host in configuration.hosts { hosts.append(host.routes.isEmpty ? nil : RouteTable(try Self.planned(host.routes, plan))) }
        self.hosts = hosts
        self.names = try HostTable(configuration.hosts.map(\.names))
    }

    private static func planned(
        _ routes: [ProxyRoute], _ plan: (ProxyRoute) throws(ProxyError) -> PlannedRoute
    ) throws(ProxyError) -> [RouteTable<PlannedRoute>.Route] {
        var planned: [RouteTable<PlannedRoute>.Route] = []
        for route in routes {
            planned.append(.init(route.match, try plan(route), try Self.planned(route.routes, plan)))
        }
        return planned
    }

    func route(for head: RequestHead, _ target: RequestTarget, _ bytes: UnsafeRawBufferPointer) -> RouteTable<PlannedRoute>.Answer {
        guard !self.hosts.isEmpty else { return self.usual.route(for: target, bytes) }
        let name = head.authority.map { String(decoding: bytes[$0.name].lazy.map(ByteClass.lowercased), as: UTF8.self) } ?? ""
        let table = self.names.host(for: name).flatMap { self.hosts[$0] } ?? self.usual
        return table.route(for: target, bytes)
    }
}

extension ProxyRoute {
    var match: PathMatch {
        if let expression { return .expression(expression) }
        return self.isExact ? .exact(self.prefix) : self.isFirm ? .firmPrefix(self.prefix) : .prefix(self.prefix)
    }
}
