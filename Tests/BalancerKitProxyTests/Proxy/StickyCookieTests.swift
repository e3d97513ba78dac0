import BalancerKit
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct StickyCookieTests {
    static let secret = Array("0123456789abcdef".utf8)
    static let other = Array("fedcba9876543210".utf8)

    static func configuration(_ upstreams: [ScriptedUpstream], _ cookie: StickyCookie) -> ProxyConfiguration {
        var upstream = UpstreamConfiguration(endpoints: upstreams.map { Endpoint(host: "127.0.0.1", port: $0.port) })
        upstream.sticky = cookie
        var configuration = BalancerKitProxyTests.configuration(1)
        configuration.routes = [ProxyRoute(prefix: "/", upstream: upstream)]
        return configuration
    }

    static func upstreams() async throws -> [ScriptedUpstream] {
        var upstreams: [ScriptedUpstream] = []
        for name in ["first", "second", "third"] { upstreams.append(try await .start { _ in [.send(ok(name))] }) }
        return upstreams
    }

    /// The cookie of a `Set-Cookie` line as a client sends it back.
    static func pair(_ response: RawResponse) throws -> String {
        String(try #require(response.field("Set-Cookie")).prefix { $0 != ";" })
    }

    @Test func `a client stays with the endpoint that its cookie names, whoever's turn it is`() async throws {
        let upstreams = try await Self.upstreams()
        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.secret]))) {
            (proxy: RunningProxy) async throws in
            var cookies: [String: String] = [:]
            for _ in 0..<3 {
                let response = try await proxy.ask(get())
                cookies[response.body] = try Self.pair(response)
            }
            #expect(Set(cookies.values).count == 3)
            for (body, cookie) in cookies {
                for field in ["Cookie: \(cookie)", "Cookie: a=b; \(cookie); c=d", "Cookie: srv=forged; \(cookie)", "cookie:\(cookie)"] {
                    let response = try await proxy.ask(get(field))
                    #expect(response.body == body)
                    // Whoever is bound already is not told again.
                    #expect(response.field("Set-Cookie") == nil)
                }
            }
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `of many values only the first few are looked at`() async throws {
        let upstreams = try await Self.upstreams()
        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.secret]))) {
            (proxy: RunningProxy) async throws in
            let cookie = try Self.pair(try await proxy.ask(get()))
            let forged = "srv=" + String(repeating: "x", count: 43)
            func answer(after count: Int) async throws -> RawResponse {
                try await proxy.ask(get("Cookie: " + (Array(repeating: forged, count: count) + [cookie]).joined(separator: "; ")))
            }
            #expect(try await answer(after: 7).field("Set-Cookie") == nil)
            #expect(try await answer(after: 8).field("Set-Cookie") != nil)
            #expect(try await answer(after: 500).field("Set-Cookie") != nil)
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `a value tells nothing of the endpoint, and cannot be made without the secret`() async throws {
        let upstreams = try await Self.upstreams()
        let port = upstreams[0].port
        let endpoints = [Endpoint(host: "127.0.0.1", port: port)]
        let table = StickyTable(StickyCookie(name: "srv", secrets: [Self.secret]), endpoints)
        let line = String(decoding: table.line(for: endpoints[0].address), as: UTF8.self)
        #expect(!line.contains("\(port)") && !line.contains("127"))
        let foreign = StickyTable(StickyCookie(name: "srv", secrets: [Self.other]), endpoints)
        #expect(foreign.line(for: endpoints[0].address) != table.line(for: endpoints[0].address))
        // Without a secret each proxy has one of its own.
        let own = (0..<2).map { _ in StickyTable(StickyCookie(name: "srv"), endpoints).line(for: endpoints[0].address) }
        #expect(own[0] != own[1])
        // The secret is in no text of the setting.
        var dumped = ""
        dump(StickyCookie(name: "srv", secrets: [Self.secret]), to: &dumped)
        #expect(!dumped.contains("48") && !"\(StickyCookie(name: "srv", secrets: [Self.secret]))".contains("48"))

        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.secret]))) {
            (proxy: RunningProxy) async throws in
            let cookie = try Self.pair(try await proxy.ask(get()))
            let wrong = cookie.dropLast() + (cookie.hasSuffix("A") ? "B" : "A")
            for value in [
                "srv=", "srv=127.0.0.1:\(port)", "srv", "=srv", String(wrong), cookie + "x", String(cookie.dropLast()),
                "xsrv" + cookie.dropFirst(3),
                "srv=" + String(repeating: "x", count: 5000),
            ] {
                let response = try await proxy.ask(get("Cookie: \(value)"))
                #expect(response.status == 200)
                #expect(response.field("Set-Cookie") != nil, "\(value.prefix(60))")
            }
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `a client whose endpoint is gone is bound to another`() async throws {
        let upstreams = try await Self.upstreams()
        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.secret]))) {
            (proxy: RunningProxy) async throws in
            let first = try await proxy.ask(get())
            let cookie = try Self.pair(first)
            let index = try #require(["first", "second", "third"].firstIndex(of: first.body))
            await upstreams[index].stop()
            let moved = try await proxy.ask(get("Cookie: \(cookie)"))
            #expect(moved.status == 200 && moved.body != first.body)
            let rebound = try Self.pair(moved)
            #expect(rebound != cookie)
            for _ in 0..<3 {
                let response = try await proxy.ask(get("Cookie: \(rebound)"))
                #expect(response.body == moved.body)
                #expect(response.field("Set-Cookie") == nil)
            }
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `a cookie of an older secret still binds, and is made anew with the first`() async throws {
        let upstreams = try await Self.upstreams()
        let old = try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.secret]))) {
            (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(get())
            return try await proxy.ask(get())
        }
        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.other, Self.secret]))) {
            (proxy: RunningProxy) async throws in
            let response = try await proxy.ask(get("Cookie: \(try Self.pair(old))"))
            #expect(response.body == old.body)
            let new = try Self.pair(response)
            let previous = try Self.pair(old)
            #expect(new != previous)
            let again = try await proxy.ask(get("Cookie: \(new)"))
            #expect(again.body == old.body && again.field("Set-Cookie") == nil)
        }
        try await withProxy(Self.configuration(upstreams, StickyCookie(name: "srv", secrets: [Self.other]))) {
            (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get("Cookie: \(try Self.pair(old))")).field("Set-Cookie") != nil)
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `the cookie has the attributes that are set, and is added to the upstream's own`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send(ok("x", "Set-Cookie: own=1"))] }
        var cookie = StickyCookie(name: "srv", secrets: [Self.secret])
        func attributes(_ cookie: StickyCookie) async throws -> String {
            try await withProxy(Self.configuration([upstream], cookie)) { (proxy: RunningProxy) async throws in
                let fields = try await proxy.ask(get()).fields("Set-Cookie")
                #expect(fields.count == 2 && fields.first == "own=1")
                return String(fields.last?.drop { $0 != ";" } ?? "")
            }
        }
        #expect(try await attributes(cookie) == "; Path=/; HttpOnly; SameSite=Lax")
        cookie.expiry = .after(.seconds(3600))
        cookie.domain = "example.com"
        cookie.path = "/app"
        cookie.isSecure = true
        cookie.sameSite = StickyCookie.SameSite.none
        #expect(
            try await attributes(cookie) == "; Max-Age=3600; Domain=example.com; Path=/app; HttpOnly; Secure; SameSite=None")
        cookie = StickyCookie(name: "srv", secrets: [Self.secret])
        cookie.expiry = .never
        cookie.path = nil
        cookie.isHTTPOnly = false
        cookie.sameSite = nil
        #expect(try await attributes(cookie) == "; Max-Age=315360000")
        await upstream.stop()
    }

    @Test func `settings that cannot work are named`() {
        func place(_ change: (inout StickyCookie) -> Void) -> String? {
            var upstream = UpstreamConfiguration(endpoints: ["127.0.0.1:1"])
            var cookie = StickyCookie(name: "srv")
            change(&cookie)
            upstream.sticky = cookie
            return #expect(throws: ProxyError.self) { try ReverseProxy(ProxyConfiguration(upstream: upstream)) }?.place
        }
        #expect(place { $0.name = "a b" } == "sticky.name")
        #expect(place { $0.secrets = [[1, 2, 3]] } == "sticky.secrets")
        #expect(place { $0.path = "/;x" } == "sticky.path")
        #expect(place { $0.domain = "a\r\nb" } == "sticky.domain")
    }
}
