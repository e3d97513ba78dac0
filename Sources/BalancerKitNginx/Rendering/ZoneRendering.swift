import BalancerKit
import BalancerKitProxy
import Logging

/// What stands in `http` beside upstreams and servers: the zones of limits, and the variable of upgrades.
struct ZoneRendering {
    static let connectionVariable = "$scalekit_connection"

    private let proxy: ProxyConfiguration
    private let suffix: String

    init(_ proxy: ProxyConfiguration, suffix: String) {
        self.proxy = proxy
        self.suffix = suffix
    }

    func write(to writer: inout DirectiveWriter) throws(NginxError) {
        for zone in self.proxy.requestZones {
            writer.write(
                "limit_req_zone", try Self.key(zone.key),
                "zone=\(try Self.name(zone.name, self.suffix)):\(Self.size(zone.maximumKeys, 128))",
                "rate=\(try Self.rate(zone.rate))")
        }
        for zone in self.proxy.connectionZones {
            writer.write(
                "limit_conn_zone", try Self.key(zone.key),
                "zone=\(try Self.name(zone.name, self.suffix)):\(Self.size(zone.maximumKeys, 64))")
        }
    }

    /// Zones of several proxies are several zones.
    private static func name(_ name: String, _ suffix: String) throws(NginxError) -> String {
        guard !name.isEmpty, !name.contains(":") else { throw .notRenderable("a zone's name is not empty and has no colon") }
        try RenderingPlan.checkText(name, "a zone's name")
        return name + suffix
    }

    /// By the minute where it is no whole number by the second; nginx keeps thousandths as well.
    private static func rate(_ rate: RateLimit.Rate) throws(NginxError) -> String {
        guard rate.perMille > 0 else { throw .notRenderable("a rate of nothing") }
        if rate.perMille.isMultiple(of: 1000) { return "\(rate.perMille / 1000)r/s" }
        return "\((rate.perMille * 60 + 999) / 1000)r/m"
    }

    private static func size(_ keys: Int, _ bytes: Int) -> String { "\(min(max(32, keys / 1024 * bytes), 1 << 20))k" }

    private static func key(_ key: LimitKey) throws(NginxError) -> String {
        var text = ""
        for part in key.parts {
            switch part.base {
            case .clientAddress: text += "$binary_remote_addr"
            case .host: text += "${host}"
            case .path: text += "${uri}"
            case .method: text += "${request_method}"
            case .header(let name): text += "${http_\(name.lowercased().replacing("-", with: "_"))}"
            case .text(let literal):
                guard !literal.contains("$") else { throw .notRenderable("a key with a dollar sign") }
                text += literal
            }
        }
        guard !text.isEmpty else { throw .notRenderable("an empty key limits nothing") }
        try RenderingPlan.checkText(text, "a key")
        return text
    }

    static func write(_ limits: TrafficLimits, suffix: String, to writer: inout DirectiveWriter) throws(NginxError) {
        for limit in limits.requests {
            var words = ["limit_req", "zone=\(try Self.name(limit.zone, suffix))"]
            if limit.burst > 0 { words.append("burst=\(limit.burst)") }
            switch limit.delay {
            case .never: words.append("nodelay")
            case .above(let count): if count > 0 { words.append("delay=\(count)") }
            }
            writer.write(words)
        }
        if !limits.requests.isEmpty {
            writer.write("limit_req_status", "\(limits.requestStatus)")
            writer.write("limit_req_log_level", limits.requestLogLevel.rendered)
            if limits.isRequestDryRun { writer.write("limit_req_dry_run", "on") }
        }
        for limit in limits.connections { writer.write("limit_conn", try Self.name(limit.zone, suffix), "\(limit.connections)") }
        if !limits.connections.isEmpty {
            writer.write("limit_conn_status", "\(limits.connectionStatus)")
            writer.write("limit_conn_log_level", limits.connectionLogLevel.rendered)
            if limits.isConnectionDryRun { writer.write("limit_conn_dry_run", "on") }
        }
    }

    /// Once for a whole file.
    static func writeConnectionVariable(for proxies: [ProxyConfiguration], to writer: inout DirectiveWriter) throws(NginxError) {
        var hasUpgrades = false
        for proxy in proxies { proxy.forEachRoute { if $0.upgrades != .never { hasUpgrades = true } } }
        guard hasUpgrades else { return }
        writer.open(["map", "$http_upgrade", Self.connectionVariable])
        writer.write("default", "upgrade")
        writer.write("", "")
        writer.close()
    }
}

extension Logger.Level {
    fileprivate var rendered: String {
        switch self {
        case .trace, .debug, .info: "info"
        case .notice: "notice"
        case .warning: "warn"
        case .error, .critical: "error"
        }
    }
}
