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
    /// What responses get; nil where that is nothing.
    let responses: ResponseRule?

    init(
        _ action: Action, _ responses: ResponseSettings, _ limits: PlannedLimits?, _ rule: ForwardRule? = nil,
        _ upgrades: UpgradePolicy = .never
    ) {
        self.action = action
        self.responses = ResponseRule(responses)
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
    /// What answers get that no route gives: of a host without routes, and of what is no request.
    let usualResponses: ResponseRule?
    private let hostResponses: [ResponseRule?]

    /// - Parameter plan: makes one route ready; it is given what responses get there.
    init(
        _ configuration: ProxyConfiguration, _ plan: (ProxyRoute, ResponseSettings) throws(ProxyError) -> PlannedRoute
    ) throws(ProxyError) {
        self.usual = RouteTable(try Self.planned(configuration.routes, configuration.responses, plan))
        self.usualResponses = ResponseRule(configuration.responses)
        var hosts: [RouteTable<PlannedRoute>?] = []
        var responses: [ResponseRule?] = []
        for host in configuration.hosts {
            let settings = host.routes.isEmpty ? configuration.responses : host.responses.within(configuration.responses)
            hosts.append(host.routes.isEmpty ? nil : RouteTable(try Self.planned(host.routes, settings, plan)))
            responses.append(ResponseRule(settings))
        }
        self.hosts = hosts
        self.hostResponses = responses
        self.names = try HostTable(configuration.hosts.map(\.names))
    }

    private static func planned(
        _ routes: [ProxyRoute], _ outer: ResponseSettings, _ plan: (ProxyRoute, ResponseSettings) throws(ProxyError) -> PlannedRoute
    ) throws(ProxyError) -> [RouteTable<PlannedRoute>.Route] {
        var planned: [RouteTable<PlannedRoute>.Route] = []
        for route in routes {
            let settings = route.responses.within(outer)
            planned.append(.init(route.match, try plan(route, settings), try Self.planned(route.routes, settings, plan)))
        }
        return planned
    }

    func route(for head: RequestHead, _ target: RequestTarget, _ bytes: UnsafeRawBufferPointer) -> RouteTable<PlannedRoute>.Answer {
        let table = self.host(head, bytes).flatMap { self.hosts[$0] } ?? self.usual
        return table.route(for: target, bytes)
    }

    /// What an answer gets where no route takes the request.
    func responses(for head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> ResponseRule? {
        self.host(head, bytes).map { self.hostResponses[$0] } ?? self.usualResponses
    }

    private func host(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> Int? {
        guard !self.hosts.isEmpty else { return nil }
        let name = head.authority.map { String(decoding: bytes[$0.name].lazy.map(ByteClass.lowercased), as: UTF8.self) } ?? ""
        return self.names.host(for: name)
    }
}

extension ProxyRoute {
    var match: PathMatch {
        if let expression { return .expression(expression) }
        return self.isExact ? .exact(self.prefix) : self.isFirm ? .firmPrefix(self.prefix) : .prefix(self.prefix)
    }
}
