import BalancerKit
import BalancerKitProxy
import Testing

@testable import BalancerKitNginx

/// A proxy with nothing at its default, as far as nginx has words for it.
private func fullProxy() throws -> ProxyConfiguration {
    var first = UpstreamConfiguration(endpoints: [
        Endpoint(.host("127.0.0.1", port: 8001), weight: 3, maxFails: 2, failTimeout: .seconds(5), maxConnections: 9),
        Endpoint(.host("::1", port: 8002), isBackup: true), Endpoint(.unix(path: "/tmp/a b.sock"), isDown: true),
    ])
    first.strategy = .leastConnections
    first.nextUpstream.conditions = [.error, .http503, .nonIdempotent]
    first.nextUpstream.tries = 2
    first.nextUpstream.timeout = .milliseconds(1500)
    first.keepAlive.connections = 12
    first.keepAlive.requests = 13
    first.keepAlive.time = .seconds(14)
    first.keepAlive.idle = .seconds(15)
    var second = UpstreamConfiguration(endpoints: ["127.0.0.1:8003"])
    second.strategy = .powerOfTwoChoices
    second.nextUpstream.conditions = []
    var exact = ProxyRoute(prefix: "/a \"b\" {c};#\\é", upstream: second)
    exact.isExact = true
    var proxy = ProxyConfiguration(routes: [
        ProxyRoute(prefix: "/", upstream: first), exact, ProxyRoute(prefix: "/admin", action: .refuse(status: 403)),
    ])
    (proxy.host, proxy.port, proxy.backlog, proxy.threads) = ("127.0.0.1", 18_975, 77, 2)
    proxy.limits.bodyLength = 12_345
    proxy.limits.targetLength = 2048
    proxy.limits.headerLength = 8192
    proxy.timeouts.clientHead = .seconds(21)
    proxy.timeouts.clientBody = .seconds(22)
    proxy.timeouts.clientSend = .seconds(23)
    proxy.timeouts.upstreamConnect = .milliseconds(2400)
    proxy.timeouts.upstreamRead = .seconds(25)
    proxy.timeouts.upstreamSend = .seconds(26)
    proxy.timeouts.shutdown = .seconds(27)
    proxy.clientKeepAlive.idle = .seconds(28)
    proxy.clientKeepAlive.requests = 29
    proxy.clientKeepAlive.time = .seconds(30)
    proxy.forwarding.hostHeader = .fixed("a b")
    proxy.forwarding.defaultHost = "www.example"
    return proxy
}

/// What nginx can be told of a proxy, as text that can be compared.
private func described(_ proxy: ProxyConfiguration) -> [String] {
    var lines = [
        "\(proxy.host):\(proxy.port) \(proxy.unixSocket ?? "-") \(proxy.backlog) \(proxy.reusesPort) \(proxy.threads ?? 0)",
        "\(proxy.limits.bodyLength ?? -1) \(proxy.limits.targetLength) \(proxy.limits.headerLength)",
        "\(proxy.timeouts.clientHead) \(proxy.timeouts.clientBody) \(proxy.timeouts.clientSend) \(proxy.timeouts.shutdown)",
        "\(proxy.timeouts.upstreamConnect) \(proxy.timeouts.upstreamRead) \(proxy.timeouts.upstreamSend)",
        "\(proxy.clientKeepAlive)", "\(proxy.forwarding.hostHeader) \(proxy.forwarding.defaultHost)",
    ]
    for route in proxy.routes {
        switch route.action {
        case .files(let files): lines.append("\(route.prefix) \(route.isExact) \(files)")
        case .refuse(let status): lines.append("\(route.prefix) \(route.isExact) \(status)")
        case .forward(let upstream):
            lines.append("\(route.prefix) \(route.isExact) \(upstream.strategy) \(upstream.nextUpstream)")
            lines += upstream.endpoints.map {
                "\($0) \($0.weight) \($0.maxFails) \($0.failTimeout) \($0.maxConnections) \($0.isBackup) \($0.isDown)"
            }
            if upstream.keepAlive.connections > 0 { lines.append("\(upstream.keepAlive)") }
        }
    }
    return lines
}

@Suite struct RenderingTests {
    @Test func `what is rendered and read back is equal`() throws {
        let proxy = try fullProxy()
        let file = try NginxFile(proxy)
        let again = try NginxConfiguration(parsing: file.text.utf8)
        #expect(described(again.proxy) == described(proxy))
        #expect(try NginxFile(again.proxy).text == file.text)
    }

    @Test func `the plainest proxy too, and one on a socket`() throws {
        for host in ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost"] {
            var proxy = ProxyConfiguration(endpoints: ["127.0.0.1:8001", "127.0.0.1:8002"])
            proxy.host = host
            #expect(described(try NginxConfiguration(parsing: try NginxFile(proxy).text.utf8).proxy) == described(proxy))
        }
        var proxy = ProxyConfiguration(endpoints: ["127.0.0.1:8001"])
        proxy.unixSocket = "/tmp/p.sock"
        #expect(try NginxConfiguration(parsing: try NginxFile(proxy).text.utf8).proxy.unixSocket == "/tmp/p.sock")
    }

    @Test(.enabled(if: InstalledNginx.isInstalled, "needs nginx: Scripts/setup test"))
    func `the installed nginx accepts what is rendered`() throws {
        let scratch = try Scratch()
        var places = NginxFile.Places()
        (places.pid, places.errorLog, places.temporary) = ("nginx.pid", "stderr", scratch.path)
        for proxy in [
            try fullProxy(),
            {
                var p = ProxyConfiguration(endpoints: ["127.0.0.1:1"]); p.port = 18_974; return p
            }(),
        ] {
            let file = try scratch.write("nginx.conf", try NginxFile(proxy, places: places).text)
            #expect(try InstalledNginx.complaint(about: file, prefix: scratch.path) == nil)
        }
    }

    @Test func `what nginx has no words for is refused`() throws {
        var proxies: [ProxyConfiguration] = []
        func add(_ change: (inout ProxyConfiguration) throws -> Void) rethrows {
            var proxy = ProxyConfiguration(endpoints: ["127.0.0.1:8001"])
            try change(&proxy)
            proxies.append(proxy)
        }
        try add { $0.forwarding.trustedProxies = [try CIDRBlock("10.0.0.0/8")] }
        add { $0.forwarding.via = "here" }
        add { $0.routes += $0.routes }
        add { $0.timeouts.upstreamRead = .seconds(-1) }
        add { $0.forwarding.hostHeader = .fixed("a$b") }
        add { $0.routes[0].prefix = "/" + String(repeating: "x", count: 4096) }
        add { $0.routes[0].prefix = "/\0" }
        add { $0.unixSocket = "/tmp/a:b" }
        for proxy in proxies {
            let error = #expect(throws: NginxError.self) { try NginxFile(proxy) }
            #expect(error?.code == .notRenderable)
        }
    }
}
