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
    let responses: PlannedResponses

    init(
        _ action: Action, _ responses: PlannedResponses, _ limits: PlannedLimits?, _ rule: ForwardRule? = nil,
        _ upgrades: UpgradePolicy = .never
    ) {
        self.action = action
        self.responses = responses
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
    let usualResponses: PlannedResponses
    private let hostResponses: [PlannedResponses]

    /// - Parameters:
    ///   - files: finds the file of the access log by its path.
    ///   - plan: makes one route ready; it is given what is said of responses there.
    init(
        _ configuration: ProxyConfiguration, files: (String) -> AccessLogFile,
        _ plan: (ProxyRoute, PlannedResponses) throws(ProxyError) -> PlannedRoute
    ) throws(ProxyError) {
        func ready(_ settings: ResponseSettings) -> PlannedResponses {
            PlannedResponses(rule: ResponseRule(settings), log: RequestLog(settings.log, file: files))
        }
        func planned(_ routes: [ProxyRoute], _ settings: ResponseSettings) throws(ProxyError) -> RouteTable<PlannedRoute> {
            RouteTable(try Self.planned(routes, settings) { (route, settings) throws(ProxyError) in try plan(route, ready(settings)) })
        }
        self.usual = try planned(configuration.routes, configuration.responses)
        self.usualResponses = ready(configuration.responses)
        var hosts: [RouteTable<PlannedRoute>?] = []
        var responses: [PlannedResponses] = []
        for host in configuration.hosts {
            let settings = host.routes.isEmpty ? configuration.responses : host.responses.within(configuration.responses)
            hosts.append(host.routes.isEmpty ? nil : try planned(host.routes, settings))
            responses.append(ready(settings))
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
    func responses(for head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> PlannedResponses {
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
