import BalancerKitProxy

/// The fields that the proxy sends to upstreams, as `proxy_set_header`s.
struct FieldRendering {
    let usual: [(name: String, value: String)]

    init(_ policy: ForwardingPolicy) throws(NginxError) {
        let host: String
        switch policy.hostHeader {
        case .normalized: host = "$host"
        case .original: host = "$http_host"
        case .fixed(let text):
            guard !text.contains("$") else { throw .notRenderable("a Host with a dollar sign") }
            try RenderingPlan.checkText(text, "a host")
            host = text
        }
        self.usual = [
            ("Host", host), ("X-Real-IP", "$remote_addr"), ("X-Forwarded-For", "$remote_addr"), ("X-Forwarded-Proto", "$scheme"),
            ("X-Forwarded-Host", "$http_host"), ("Connection", ""),
        ]
    }

    /// All fields of a route: since nginx inherits them only where a location has none, the usual ones are written again. Empty where there is
    /// nothing but these.
    ///
    /// - Parameter writesUsual: whether they are written nonetheless, since the location would inherit others.
    func fields(_ route: ProxyRoute, writesUsual: Bool) throws(NginxError) -> [(name: String, value: String)] {
        guard writesUsual || !route.requestFields.isEmpty || route.upgrades != .never else { return [] }
        var fields: [(name: String, value: String)] = []
        for field in route.requestFields { fields.append((field.name, try field.value.rendered())) }
        switch route.upgrades {
        case .never: break
        case .any: fields += [("Upgrade", "$http_upgrade"), ("Connection", ZoneRendering.connectionVariable)]
        case .to: throw .notRenderable("nginx passes all upgrades or none: route.upgrades")
        }
        let names = Set(fields.map { $0.name.lowercased() })
        return fields + self.usual.filter { !names.contains($0.name.lowercased()) }
    }
}

extension RequestTemplate {
    /// The text as nginx reads it.
    func rendered() throws(NginxError) -> String {
        guard !self.hasLiteralDollar else { throw .notRenderable("nginx has no way to write a dollar sign") }
        try RenderingPlan.checkText(self.description, "a text")
        return self.description
    }
}
