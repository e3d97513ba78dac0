import BalancerKit
import BalancerKitProxy
import Logging
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
    (proxy.host, proxy.port, proxy.backlog, proxy.threads) = ("127.0.0.1", 20_975, 77, 2)
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
    proxy.responses.log = .off
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
    lines.append("\(proxy.requestZones) \(proxy.connectionZones) \(proxy.tls.map { "\($0)" } ?? "-")")
    lines += proxy.routes.flatMap(described)
    // A name of the default server is there for nginx's sake.
    lines.append(described(proxy.responses))
    for host in proxy.hosts where !host.routes.isEmpty {
        lines += ["\(host.names) \(described(host.responses))"] + host.routes.flatMap(described)
    }
    return lines
}

private func described(_ settings: ResponseSettings) -> String {
    let fields = settings.fields?.map { "\($0.name): \($0.value) \($0.isAlways)" }
    return "\(fields.map { "\($0)" } ?? "-") \(settings.expiry.map { "\($0)" } ?? "-") \(settings.log.map { "\($0)" } ?? "-")"
}

private func described(_ route: ProxyRoute) -> [String] {
    var lines = [
        "\(route.prefix) \(route.isExact) \(route.isFirm) \(route.expression?.pattern ?? "-") \(route.expression?.ignoresCase ?? false)",
        "\(route.limits) \(route.upgrades) \(route.replacementPath ?? "-")",
        described(route.responses),
        "\(route.bodyLimit.map { "\($0)" } ?? "-") \(route.requestFields.map { "\($0.name): \($0.value)" })",
    ]
    switch route.action {
    case .files(let files):
        var sorted = files
        sorted.contentTypes = [:]
        lines.append("\(sorted) \(files.contentTypes.sorted { $0.key < $1.key })")
    case .refuse(let status): lines.append("\(status)")
    case .answer(let answer): lines.append("\(answer)")
    case .close: lines.append("close")
    case .forward(let upstream):
        lines.append("\(upstream.strategy) \(upstream.key.map { "\($0)" } ?? "-") \(upstream.nextUpstream)")
        lines += upstream.endpoints.map {
            "\($0) \($0.weight) \($0.maxFails) \($0.failTimeout) \($0.maxConnections) \($0.isBackup) \($0.isDown)"
        }
        if upstream.keepAlive.connections > 0 { lines.append("\(upstream.keepAlive)") }
    }
    return lines + route.routes.flatMap(described)
}

/// A site with each kind of route.
private func siteProxy() throws -> ProxyConfiguration {
    let upstream = UpstreamConfiguration(endpoints: ["127.0.0.1:8001", "127.0.0.1:8002"])
    var (hashed, ring, network) = (upstream, upstream, upstream)
    (hashed.strategy, hashed.key) = (.keyHash, .text(try RequestTemplate("$uri \"x\"")))
    (ring.strategy, ring.key) = (.consistentHash, .text(try RequestTemplate("${host}$arg_a")))
    (network.strategy, network.key) = (.networkHash, .clientNetwork)
    var expression = ProxyRoute(expression: try PathExpression("\\.(?<end>gif|p\"n{1,2}g)$", ignoresCase: true), upstream: hashed)
    expression.requestFields = [
        RequestField(name: "X-Own", value: try RequestTemplate("a $uri;{}")),
        RequestField(name: "X-Forwarded-For", value: try RequestTemplate("")),
    ]
    var firm = ProxyRoute(prefix: "/firm", upstream: ring)
    firm.isFirm = true
    firm.replacementPath = "/other/path?a=b"
    firm.bodyLimit = .unlimited
    firm.upgrades = .any
    firm.routes = [ProxyRoute(prefix: "/firm/inner", upstream: network)]
    var redirection = ProxyRoute(prefix: "/old", action: .answer(FixedAnswer(redirect: 308, to: try RequestTemplate("/new$is_args$args"))))
    redirection.isExact = true
    var text = FixedAnswer(status: 200, text: try RequestTemplate("hello\n$host"))
    text.contentType = "text/html; charset=utf-8"
    var files = StaticFiles(directory: "/srv/my files", mapping: .alias)
    (files.symbolicLinks, files.fallbackFile, files.maximumRanges, files.sendsETag) = (.refused, "/x.html", 3, false)
    var limited = ProxyRoute(prefix: "/files/", files: files)
    limited.limits.requests = [RequestLimit(zone: "one", burst: 5, delay: .above(2)), RequestLimit(zone: "two", burst: 1, delay: .never)]
    limited.limits.requestStatus = 429
    limited.limits.connections = [ConnectionLimit(zone: "three", connections: 7)]
    limited.limits.connectionLogLevel = .notice
    var proxy = ProxyConfiguration(routes: [
        ProxyRoute(prefix: "/", upstream: upstream), expression, firm, redirection, ProxyRoute(prefix: "/text", action: .answer(text)),
        ProxyRoute(prefix: "/close", action: .close), limited,
    ])
    proxy.requestZones = [
        RequestZone(name: "one", rate: .perMinute(7)),
        RequestZone(name: "two", key: LimitKey([.host, .header("x-a"), .text("b")]), rate: .perSecond(9)),
    ]
    proxy.connectionZones = [ConnectionZone(name: "three", key: LimitKey([.method, .path]))]
    proxy.hosts = [
        ProxyHost(names: ["a.example", "*.b.example"], routes: [ProxyRoute(prefix: "/", upstream: upstream)]),
        ProxyHost(names: ["~^x{1,2}$", "d.*"], routes: [ProxyRoute(prefix: "/", action: .refuse(status: 410))]),
    ]
    proxy.responses.fields = [ResponseField(name: "X-Proxy", value: try RequestTemplate("a \"b\" {c};#\\é $host"), isAlways: true)]
    proxy.responses.expiry = .after(.seconds(-5))
    proxy.responses.log = .files(["/dev/null", "/dev/full"])
    proxy.routes[1].responses.fields = []
    proxy.routes[1].responses.log = .off
    proxy.hosts[0].responses.log = .off
    proxy.hosts[1].responses.log = .off
    proxy.routes[2].responses.fields = [
        ResponseField(name: "ETag", value: try RequestTemplate("")), ResponseField(name: "X-Two", value: try RequestTemplate("$uri")),
    ]
    proxy.routes[2].routes[0].responses.expiry = .atTimeOfDay(.seconds(3661))
    proxy.routes[3].responses.expiry = .max
    proxy.routes[4].responses.expiry = .epoch
    proxy.routes[6].responses.expiry = .afterModification(.seconds(90))
    proxy.hosts[0].responses.fields = []
    proxy.hosts[0].responses.expiry = .off
    proxy.hosts[1].responses.fields = [ResponseField(name: "X-Host", value: try RequestTemplate("h"))]
    proxy.hosts[1].responses.expiry = .after(.zero)
    proxy.limits.bodyLength = 1000
    for zone in proxy.requestZones.indices { proxy.requestZones[zone].maximumKeys = 8192 }
    proxy.connectionZones[0].maximumKeys = 16_384
    proxy.port = 20_973
    return proxy
}

@Suite struct RenderingTests {
    @Test func `what is rendered and read back is equal`() throws {
        let proxy = try fullProxy()
        let file = try NginxFile(proxy)
        let again = try NginxConfiguration(parsing: file.text.utf8)
        #expect(described(again.proxy) == described(proxy))
        #expect(try NginxFile(again.proxy).text == file.text)
    }

    @Test func `a whole site too: hosts, expressions, nested routes, answers, files, limits`() throws {
        let proxy = try siteProxy()
        let text = try NginxFile(proxy).text
        let again = try NginxConfiguration(parsing: text.utf8)
        for (line, original) in zip(described(again.proxy), described(proxy)) { #expect(line == original) }
        #expect(described(again.proxy).count == described(proxy).count)
        #expect(try NginxFile(again.proxy).text == text)
    }

    @Test func `proxies on several addresses are servers of one file, with zones and upstreams of their own`() throws {
        var second = try siteProxy()
        second.port = 20_972
        second.tls = ProxyTLS(certificates: [
            .init(chainFile: "/c.pem", keyFile: "/c.key"), .init(chainFile: "/a.pem", keyFile: "/a.key", serverNames: ["a.example"]),
        ])
        let proxies = [try siteProxy(), second]
        let again = try NginxConfiguration(parsing: try NginxFile(proxies).text.utf8).proxies
        #expect(again.map(\.port) == [20_973, 20_972])
        #expect(again[0].tls == nil && again[1].requestZones.map(\.name) == ["one_of_2", "two_of_2"])
        #expect(again[1].tls?.certificates.map(\.chainFile) == ["/c.pem", "/a.pem", "/c.pem"])
    }

    @Test func `the plainest proxy too, and one on a socket`() throws {
        for host in ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost"] {
            var proxy = ProxyConfiguration(endpoints: ["127.0.0.1:8001", "127.0.0.1:8002"])
            proxy.host = host
            // Where a file says nothing else, nginx would write one.
            proxy.responses.log = .off
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
            try fullProxy(), try siteProxy(),
            {
                var p = ProxyConfiguration(endpoints: ["127.0.0.1:1"]); p.port = 20_974; return p
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
        try add { $0.routes[0].requestFields = [RequestField(name: "X-A", value: try RequestTemplate(literal: "a$b"))] }
        add { $0.routes[0].upgrades = .to(["websocket"]) }
        try add { $0.responses.fields = [ResponseField(name: "X-A", value: try RequestTemplate(literal: "a$b"))] }
        try add { $0.routes[0].responses.fields = [ResponseField(name: "X-A", value: try RequestTemplate("a\r\nX-B: c"))] }
        add { $0.routes[0].responses.expiry = .after(.seconds(Int64.max)) }
        add { $0.responses.log = .files(["access.log"]) }
        add { $0.responses.log = .files(["/a/$host"]) }
        add { $0.routes[0].routes = [ProxyRoute(prefix: "/", action: .close), ProxyRoute(prefix: "/", action: .close)] }
        add { $0.routes.append(ProxyRoute(prefix: "/x", files: StaticFiles(directory: "/srv"))) }
        add { $0.routes.append(ProxyRoute(prefix: "/x/", upstream: UpstreamConfiguration(endpoints: ["127.0.0.1:1"]))) }
        add { $0.hosts = [ProxyHost(names: ["a\0"], routes: $0.routes)] }
        add { $0.hosts = [ProxyHost(names: ["local*"], routes: $0.routes)] }
        add { $0.hosts = [ProxyHost(names: ["~l.c"], routes: $0.routes)] }
        // What the embedded proxy would not start with: a line's end in a field, a name that is none, files outside of their directory.
        try add { $0.routes[0].requestFields = [RequestField(name: "X-A\r\nX-B", value: try RequestTemplate("a"))] }
        add { $0.forwarding.hostHeader = .fixed("a\r\nX-B: c") }
        add { $0.routes[0].action = .files(StaticFiles(directory: "srv")) }
        add { $0.requestZones = [RequestZone(name: "r", rate: .perSecond(1)), RequestZone(name: "r", rate: .perSecond(1))] }
        add {
            var files = StaticFiles(directory: "/srv")
            (files.symbolicLinks, files.contentTypes) = (.followed, ["/etc/passwd": "include"])
            $0.routes[0].action = .files(files)
        }
        add {
            $0.routes[0].limits.connections = [ConnectionLimit(zone: "a", connections: 1)]
            $0.routes[0].routes = [ProxyRoute(prefix: "/a", action: .close)]
        }
        for proxy in proxies {
            let error = #expect(throws: NginxError.self) { try NginxFile(proxy) }
            #expect(error?.code == .notRenderable)
        }
    }
}
