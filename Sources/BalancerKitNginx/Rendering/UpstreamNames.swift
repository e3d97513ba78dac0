import BalancerKit
import BalancerKitProxy

/// Gives upstreams their names, in the order in which the routes are written, and writes them.
struct UpstreamNames {
    private let suffix: String
    private var count = 0

    init(suffix: String) {
        self.suffix = suffix
    }

    /// The name of the next upstream; the same ones come again after ``restart()``.
    mutating func next() -> String {
        self.count += 1
        return "scalekit_\(self.count)\(self.suffix)"
    }

    mutating func restart() {
        self.count = 0
    }

    mutating func write(_ routes: [ProxyRoute], to writer: inout DirectiveWriter) throws(NginxError) {
        for route in routes {
            if case .forward(let upstream) = route.action {
                writer.separate()
                let name = self.next()
                try writer.block("upstream", name) { (writer) throws(NginxError) in try Self.write(upstream, to: &writer) }
            }
            try self.write(route.routes, to: &writer)
        }
    }

    private static func write(_ upstream: UpstreamConfiguration, to writer: inout DirectiveWriter) throws(NginxError) {
        guard upstream.sticky == nil else { throw .notRenderable("nginx 1.22 has no sticky cookie") }
        try Self.writeMethod(upstream, to: &writer)
        guard !upstream.endpoints.isEmpty else { throw .notRenderable("an upstream without endpoints") }
        for endpoint in upstream.endpoints { writer.write(try Self.words(for: endpoint)) }
        guard upstream.keepAlive.connections > 0 else { return }
        writer.write("keepalive", "\(upstream.keepAlive.connections)")
        writer.write("keepalive_requests", "\(upstream.keepAlive.requests)")
        writer.write("keepalive_time", try NginxTime.text(upstream.keepAlive.time, "keepAlive.time"))
        writer.write("keepalive_timeout", try NginxTime.text(upstream.keepAlive.idle, "keepAlive.idle"))
    }

    private static func writeMethod(_ upstream: UpstreamConfiguration, to writer: inout DirectiveWriter) throws(NginxError) {
        var takesBackups = false
        switch (upstream.strategy, upstream.key) {
        case (is RoundRobin, _): takesBackups = true
        case (is LeastConnections, _):
            takesBackups = true
            writer.write("least_conn")
        case (is PowerOfTwoChoices, _): writer.write("random", "two", "least_conn")
        case (is WeightedRandom, _): writer.write("random")
        case (is NetworkHash, .clientNetwork): writer.write("ip_hash")
        case (is KeyHash, .text(let key)): writer.write("hash", try key.rendered())
        case (is ConsistentHash, .text(let key)): writer.write("hash", try key.rendered(), "consistent")
        default: throw .notRenderable("nginx has no such strategy: \(type(of: upstream.strategy))")
        }
        guard takesBackups || !upstream.endpoints.contains(where: \.isBackup) else {
            throw .notRenderable("nginx has backups with round robin and least_conn only")
        }
    }

    /// All parameters that are not nginx's defaults. Its seconds are whole.
    private static func words(for endpoint: Endpoint) throws(NginxError) -> [String] {
        var words = ["server", endpoint.address.description]
        try RenderingPlan.checkText(words[1], "an address")
        if case .unix(let path) = endpoint.address, path.contains(":") { throw .notRenderable("nginx takes no socket path with a colon") }
        if endpoint.weight != 1 { words.append("weight=\(endpoint.weight)") }
        if endpoint.maxFails != 1 { words.append("max_fails=\(endpoint.maxFails)") }
        let (seconds, attoseconds) = endpoint.failTimeout.components
        let whole = attoseconds > 0 ? seconds.addingReportingOverflow(1).partialValue : seconds
        if whole != 10 { words.append("fail_timeout=\(whole)s") }
        if endpoint.maxConnections != 0 { words.append("max_conns=\(endpoint.maxConnections)") }
        if endpoint.isBackup { words.append("backup") }
        if endpoint.isDown { words.append("down") }
        return words
    }
}
