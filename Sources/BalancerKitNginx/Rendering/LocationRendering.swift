import BalancerKit
import BalancerKitProxy

/// A server's routes as locations.
struct LocationRendering {
    /// What nginx hands on from a location to those within it, and the embedded proxy does not.
    private struct Inherited {
        var hasFields = false
        var hasBodyLimit = false
        var hasRequestLimits = false
        var hasConnectionLimits = false

        func adding(_ route: ProxyRoute) -> Inherited {
            var isForwarding = false
            if case .forward = route.action { isForwarding = true }
            return Inherited(
                hasFields: self.hasFields || isForwarding && (!route.requestFields.isEmpty || route.upgrades != .never),
                hasBodyLimit: self.hasBodyLimit || isForwarding && route.bodyLimit != nil,
                hasRequestLimits: self.hasRequestLimits || !route.limits.requests.isEmpty,
                hasConnectionLimits: self.hasConnectionLimits || !route.limits.connections.isEmpty)
        }

        /// A limit that holds around a location can be replaced, and not taken back.
        func check(_ route: ProxyRoute) throws(NginxError) {
            guard !self.hasRequestLimits || !route.limits.requests.isEmpty, !self.hasConnectionLimits || !route.limits.connections.isEmpty
            else { throw .notRenderable("nginx limits the route \(route.prefix) as the one around it") }
        }
    }

    private let proxy: ProxyConfiguration
    private let suffix: String
    private let accessLog: String?

    init(_ proxy: ProxyConfiguration, suffix: String, accessLog: String?) {
        self.accessLog = accessLog
        self.proxy = proxy
        self.suffix = suffix
    }

    func write(_ routes: [ProxyRoute], _ names: inout UpstreamNames, to writer: inout DirectiveWriter) throws(NginxError) {
        try self.write(routes, within: Inherited(), &names, to: &writer)
    }

    private func write(
        _ routes: [ProxyRoute], within inherited: Inherited, _ names: inout UpstreamNames, to writer: inout DirectiveWriter
    ) throws(NginxError) {
        for route in routes {
            try inherited.check(route)
            let name: String? = if case .forward = route.action { names.next() } else { nil }
            writer.separate()
            writer.open(["location"] + Self.match(route))
            try self.write(route, name, within: inherited, to: &writer)
            try self.write(route.routes, within: inherited.adding(route), &names, to: &writer)
            writer.close()
        }
        for prefix in Self.redirected(routes) {
            writer.separate()
            try self.writeUnredirected(prefix, routes, to: &writer)
        }
    }

    private static func match(_ route: ProxyRoute) -> [String] {
        if let expression = route.expression { return [expression.ignoresCase ? "~*" : "~", expression.pattern] }
        return (route.isExact ? ["="] : route.isFirm ? ["^~"] : []) + [route.prefix]
    }

    private func write(
        _ route: ProxyRoute, _ name: String?, within inherited: Inherited, to writer: inout DirectiveWriter
    ) throws(NginxError) {
        try ResponseRendering.write(route.responses, log: self.accessLog, to: &writer)
        try ZoneRendering.write(route.limits, suffix: self.suffix, to: &writer)
        switch route.action {
        case .refuse, .close, .answer:
            guard route.limits.requests.isEmpty, route.limits.connections.isEmpty else {
                throw .notRenderable("nginx answers before it looks at limits: the route \(route.prefix)")
            }
        case .files, .forward: break
        }
        switch route.action {
        case .refuse(let status): writer.write("return", "\(status)")
        case .close: writer.write("return", "444")
        case .answer(let answer): try Self.write(answer, to: &writer)
        case .files(let files): try FileRendering(files, route).write(to: &writer)
        case .forward(let upstream):
            writer.write("proxy_pass", "http://\(name ?? "")\(route.replacementPath ?? "")")
            if let path = route.replacementPath, path.contains("$") { throw .notRenderable("a path with a dollar sign") }
            switch route.bodyLimit {
            case .unlimited: writer.write("client_max_body_size", "0")
            case .bytes(let count): writer.write("client_max_body_size", "\(count)")
            case nil: if inherited.hasBodyLimit { writer.write("client_max_body_size", "\(self.proxy.limits.bodyLength ?? 0)") }
            }
            for (name, value) in try FieldRendering(self.proxy.forwarding).fields(route, writesUsual: inherited.hasFields) {
                writer.write("proxy_set_header", name, value)
            }
            try Self.write(upstream.nextUpstream, to: &writer)
        }
    }

    private static func write(_ answer: FixedAnswer, to writer: inout DirectiveWriter) throws(NginxError) {
        if let location = answer.location {
            guard answer.text == nil, [301, 302, 303, 307, 308].contains(answer.status) else {
                throw .notRenderable("nginx redirects with 301, 302, 303, 307 and 308, and without a text")
            }
            writer.write("absolute_redirect", answer.makesLocationAbsolute ? "on" : "off")
            return writer.write("return", "\(answer.status)", try location.rendered())
        }
        guard ![301, 302, 303, 307, 308].contains(answer.status) else { throw .notRenderable("a redirection without a place") }
        try RenderingPlan.checkText(answer.contentType, "a content type")
        writer.open("types")
        writer.close()
        writer.write("default_type", answer.contentType)
        let text = try answer.text?.rendered() ?? "\(answer.status)\n"
        writer.write("return", "\(answer.status)", text)
    }

    private static func write(_ rules: NextUpstreamRules, to writer: inout DirectiveWriter) throws(NginxError) {
        let words = Self.conditionNames.filter { ConfigurationMapping.conditions[$0].map(rules.conditions.contains) ?? false }
        writer.write(["proxy_next_upstream"] + (words.isEmpty || words == ["non_idempotent"] ? ["off"] : words))
        if rules.tries != 0 { writer.write("proxy_next_upstream_tries", "\(rules.tries)") }
        if let timeout = rules.timeout { writer.write("proxy_next_upstream_timeout", try NginxTime.text(timeout, "nextUpstream.timeout")) }
    }

    private static let conditionNames = [
        "error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429",
        "non_idempotent",
    ]

    // MARK: What nginx would redirect

    /// Prefixes that nginx would redirect to, in whose place the embedded proxy does as with any path: `/a` where `/a/` is forwarded.
    private static func redirected(_ routes: [ProxyRoute]) -> [String] {
        routes.filter { route in
            guard case .forward = route.action, route.expression == nil, route.prefix.count > 1, route.prefix.hasSuffix("/") else {
                return false
            }
            return !routes.contains { $0.expression == nil && $0.prefix == route.prefix.dropLast() }
        }.map(\.prefix).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// A location of the prefix without its slash, which does what the route around it does. It takes nothing from others, since what begins
    /// so and is not taken by a longer prefix would be that route's anyway.
    private func writeUnredirected(_ prefix: String, _ routes: [ProxyRoute], to writer: inout DirectiveWriter) throws(NginxError) {
        let path = String(prefix.dropLast())
        let around = routes.filter { $0.expression == nil && !$0.isExact && path.hasPrefix($0.prefix) }.max {
            $0.prefix.count < $1.prefix.count
        }
        guard let around else { return try writer.block("location", path) { writer in writer.write("return", "404") } }
        guard around.routes.isEmpty, case .refuse = around.action else {
            throw .notRenderable(
                "nginx redirects \(path) to \(prefix), and here \(around.prefix) takes it: give it a route of its own")
        }
        writer.open(["location"] + (around.isFirm ? ["^~"] : []) + [path])
        try self.write(around, nil, within: Inherited(), to: &writer)
        writer.close()
    }
}
