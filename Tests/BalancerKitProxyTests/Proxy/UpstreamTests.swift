import BalancerKit
import ScaleCore
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct UpstreamPoolTests {
    @Test func `one connection serves request after request`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for _ in 0..<10 { #expect(try await proxy.ask(get()).status == 200) }
            #expect(upstream.connectionCount == 1)
            #expect(upstream.requests.map(\.index) == Array(0..<10))
        }
        await upstream.stop()
    }

    @Test func `a connection that the upstream closed while idle is not used`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            try await upstream.close(0)
            try await eventually("the end is seen") { upstream.openConnectionCount == 0 }
            #expect(try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\n\r\n").status == 200)
            #expect(upstream.connectionCount == 2)
        }
        await upstream.stop()
    }

    @Test func `a connection on which bytes come unasked is closed`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            try await upstream.send(ok("poison"))
            try await eventually("the connection is dropped") { upstream.openConnectionCount == 0 }
            #expect(try await proxy.ask(get()).body == "hello")
        }
        await upstream.stop()
    }

    @Test func `a kept connection that ends under a request gives a free extra try, even with one endpoint`() async throws {
        // The second request of the first connection meets its end, as when both cross.
        let upstream = try await ScriptedUpstream.start { $0.connection == 0 && $0.index == 1 ? [.close] : [.send(ok("hello"))] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            #expect(try await proxy.ask(get()).status == 200)
            #expect(upstream.requests.count == 3)
        }
        await upstream.stop()
    }

    @Test func `that extra try is not given to a POST, which may have been carried out`() async throws {
        let upstream = try await ScriptedUpstream.start { $0.connection == 0 && $0.index == 1 ? [.close] : [.send(ok("hello"))] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            #expect(try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\n\r\n").status == 502)
            #expect(upstream.requests.count == 2)
        }
        await upstream.stop()
    }

    @Test func `limits of requests and connections are kept`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        guard case .forward(var group) = configuration.routes[0].action else { return }
        group.keepAlive.requests = 2
        configuration.routes[0].action = .forward(group)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for _ in 0..<4 { _ = try await proxy.ask(get()) }
            #expect(upstream.requests.map(\.connection) == [0, 0, 1, 1])
        }
        group.keepAlive.connections = 0
        configuration.routes[0].action = .forward(group)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for _ in 0..<2 { _ = try await proxy.ask(get()) }
            #expect(upstream.connectionCount == 4)
        }
        await upstream.stop()
    }

    @Test func `of idle connections the most recent is taken and the oldest is given up`() {
        final class Connection {}
        let (a, b, c) = (Connection(), Connection(), Connection())
        var idle = IdleConnections<Int, Connection>(capacity: 2)
        #expect(idle.put(a, 1) == nil)
        #expect(idle.put(b, 2) == nil)
        #expect(idle.put(c, 2) === a)
        #expect(idle.take(1) == nil)
        #expect(idle.take(2) === c)
        idle.remove(b, 2)
        #expect(idle.take(2) == nil)
        #expect(idle.count == 0)
        var none = IdleConnections<Int, Connection>(capacity: 0)
        #expect(none.put(a, 1) === a)
    }
}

@Suite struct RetryTests {
    @Test func `a refused connection goes on to the next endpoint, also for POST with a body`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let closed = try ScriptedUpstream.closedPort()
        try await withProxy(configuration(closed, upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").status == 200)
            #expect(upstream.requests.last?.body == "abc")
        }
        await upstream.stop()
    }

    @Test func `a refused connection goes on before the body has come`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let closed = try ScriptedUpstream.closedPort()
        try await withProxy(configuration(closed, upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
            try await eventually("the second is asked") { upstream.pendingBytes() > 0 }
            try await connection.send("def")
            #expect(try await connection.response().status == 200)
            #expect(upstream.requests.last?.body == "abcdef")
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `nobody listening is 502`() async throws {
        let closed = try ScriptedUpstream.closedPort()
        try await withProxy(configuration(closed)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            for _ in 0..<2 {
                try await connection.send(get())
                #expect(try await connection.response().status == 502)
            }
            #expect(connection.end == .open)
            await connection.close()
        }
    }

    static let lost: [(request: String, isRetried: Bool)] = [
        (get(), true), (get(method: "PUT"), true), ("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", true),
        (get(method: "POST"), false), (get(method: "PATCH"), false), (get(method: "LOCK"), false),
    ]

    @Test func `a request that was sent goes on only when its method is idempotent`() async throws {
        for (request, isRetried) in Self.lost {
            for text in ["", "HTTP/1.1 200 OK\r\nX:"] {
                let dying = try await ScriptedUpstream.start { _ in [.send(text), .close] }
                let living = try await ScriptedUpstream.start()
                try await withProxy(configuration(dying.port, living.port)) { (proxy: RunningProxy) async throws in
                    #expect(try await proxy.ask(request).status == (isRetried ? 200 : 502), "\(request)")
                    #expect(dying.requests.count == 1)
                    #expect(living.requests.count == (isRetried ? 1 : 0))
                }
                await dying.stop()
                await living.stop()
            }
        }
    }

    @Test func `a body that was still on its way is never sent twice`() async throws {
        let dying = try await ScriptedUpstream.start(answersHeads: true) { _ in [.close] }
        let living = try await ScriptedUpstream.start()
        try await withProxy(configuration(dying.port, living.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
            #expect(try await connection.response().status == 502)
            #expect(living.requests.isEmpty)
            await connection.close()
        }
        await dying.stop()
        await living.stop()
    }

    @Test func `nothing is tried again once the head went to the client`() async throws {
        let dying = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .close] }
        let living = try await ScriptedUpstream.start()
        try await withProxy(configuration(dying.port, living.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await connection.untilEnd()
            #expect(living.requests.isEmpty)
        }
        await dying.stop()
        await living.stop()
    }

    @Test func `a configured status goes on, and is delivered when it is everybody's`() async throws {
        let first = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nfirst")] }
        let second = try await ScriptedUpstream.start { request in
            request.index == 0 ? [.send(ok("hello"))] : [.send("HTTP/1.1 503 Busy\r\nContent-Length: 6\r\n\r\nsecond")]
        }
        var configuration = configuration(first.port, second.port)
        guard case .forward(var group) = configuration.routes[0].action else { return }
        group.nextUpstream.conditions.insert(.http503)
        for index in group.endpoints.indices { group.endpoints[index].maxFails = 0 }
        configuration.routes[0].action = .forward(group)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).body == "hello")
            let response = try await proxy.ask(get())
            #expect(response.status == 503)
            #expect(response.body == "first" || response.body == "second")
        }
        await first.stop()
        await second.stop()
    }
}

/// The value, against the rules of nginx's `ngx_http_upstream_next`.
@Suite struct NextUpstreamTests {
    func next(
        _ rules: NextUpstreamRules = NextUpstreamRules(), endpoints: Int = 2, isNonIdempotent: Bool = false, isStreaming: Bool = false,
        isSent: Bool = true
    ) -> NextUpstream {
        var next = NextUpstream(
            rules: rules, endpointCount: endpoints, isNonIdempotent: isNonIdempotent, isStreaming: isStreaming,
            at: .init(nanoseconds: 0))
        if isSent { next.sent() }
        return next
    }

    func decide(_ next: NextUpstream, _ failure: UpstreamFailure, wasReused: Bool = false, at seconds: Int64 = 0) -> NextUpstream.Decision {
        var next = next
        return next.failed(failure, wasReused: wasReused, at: .init(nanoseconds: seconds * 1_000_000_000))
    }

    @Test func `errors and time-outs go on by default, invalid heads and statuses do not`() {
        #expect(self.decide(self.next(), .error) == .nextEndpoint)
        #expect(self.decide(self.next(), .timeout) == .nextEndpoint)
        #expect(self.decide(self.next(), .invalidHeader) == .answer(status: 502))
        for status in [403, 404, 429, 500, 502, 503, 504] { #expect(!self.next().goesOn(after: status, at: .init(nanoseconds: 0))) }
    }

    @Test func `each status goes on when its condition is set`() {
        let conditions: [(Int, NextUpstreamRules.Conditions)] = [
            (403, .http403), (404, .http404), (429, .http429), (500, .http500), (502, .http502), (503, .http503), (504, .http504),
        ]
        for (status, condition) in conditions {
            var rules = NextUpstreamRules()
            rules.conditions = condition
            #expect(self.next(rules).goesOn(after: status, at: .init(nanoseconds: 0)))
            #expect(!self.next(rules).goesOn(after: 501, at: .init(nanoseconds: 0)))
            #expect(!self.next(rules).goesOn(after: 200, at: .init(nanoseconds: 0)))
            #expect(!self.next(rules, endpoints: 1).goesOn(after: status, at: .init(nanoseconds: 0)))
            #expect(!self.next(rules, isNonIdempotent: true).goesOn(after: status, at: .init(nanoseconds: 0)))
        }
    }

    @Test func `each endpoint is tried once, and tries caps that`() {
        var next = self.next(endpoints: 3)
        let now = Instant(nanoseconds: 0)
        #expect(next.failed(.error, wasReused: false, at: now) == .nextEndpoint)
        #expect(next.failed(.error, wasReused: false, at: now) == .nextEndpoint)
        #expect(next.failed(.error, wasReused: false, at: now) == .answer(status: 502))
        var rules = NextUpstreamRules()
        rules.tries = 1
        #expect(self.decide(self.next(rules, endpoints: 3), .timeout) == .answer(status: 504))
    }

    @Test func `a stale kept connection costs no try`() {
        #expect(self.decide(self.next(endpoints: 1), .error, wasReused: true) == .sameEndpoint)
        #expect(self.decide(self.next(endpoints: 1), .timeout, wasReused: true) == .answer(status: 504))
        #expect(self.decide(self.next(isNonIdempotent: true), .error, wasReused: true) == .answer(status: 502))
    }

    @Test func `POST goes on while nothing was sent, and after that only when configured`() {
        #expect(self.decide(self.next(isNonIdempotent: true, isSent: false), .error) == .nextEndpoint)
        #expect(self.decide(self.next(isNonIdempotent: true), .error) == .answer(status: 502))
        var rules = NextUpstreamRules()
        rules.conditions.insert(.nonIdempotent)
        #expect(self.decide(self.next(rules, isNonIdempotent: true), .error) == .nextEndpoint)
    }

    @Test func `a streamed body stops every retry once it is sent`() {
        #expect(self.decide(self.next(isStreaming: true, isSent: false), .error) == .nextEndpoint)
        #expect(self.decide(self.next(isStreaming: true), .error) == .answer(status: 502))
    }

    @Test func `no attempt begins after the time-out`() {
        var rules = NextUpstreamRules()
        rules.timeout = .seconds(5)
        #expect(self.decide(self.next(rules), .error, at: 4) == .nextEndpoint)
        #expect(self.decide(self.next(rules), .error, at: 5) == .answer(status: 502))
    }

    @Test func `no condition, no retry`() {
        var rules = NextUpstreamRules()
        rules.conditions = []
        #expect(self.decide(self.next(rules, isSent: false), .error) == .answer(status: 502))
    }
}

@Suite struct RoutingTests {
    @Test func `the longest prefix of the decoded path takes the request`() async throws {
        let site = try await ScriptedUpstream.start { _ in [.send(ok("site"))] }
        let api = try await ScriptedUpstream.start { _ in [.send(ok("api"))] }
        var configuration = configuration(site.port)
        configuration.routes.append(ProxyRoute(prefix: "/api/", upstream: .init(endpoints: [Endpoint(host: "127.0.0.1", port: api.port)])))
        configuration.routes.append(ProxyRoute(prefix: "/admin", action: .refuse(status: 403)))
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for (target, status, body) in [
                ("/", 200, "site"), ("/api", 200, "site"), ("/api/x", 200, "api"), ("/%61pi/x", 200, "api"), ("/x/../api/y", 200, "api"),
                ("/admin", 403, "403 Forbidden\n"), ("/admin;x", 403, "403 Forbidden\n"), ("/x%2f..%2fadmin", 403, "403 Forbidden\n"),
                ("//admin", 403, "403 Forbidden\n"), ("/%61dmin", 403, "403 Forbidden\n"), ("/ADMIN", 200, "site"),
                ("http://a", 200, "site"),
            ] {
                let response = try await proxy.ask(get(target: target))
                #expect(response.status == status, "\(target)")
                #expect(response.body == body, "\(target)")
            }
        }
        await site.stop()
        await api.stop()
    }

    @Test func `a path without a route is 404`() async throws {
        var configuration = configuration(1)
        configuration.routes[0].prefix = "/api/"
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get(target: "/other")).status == 404)
            #expect(try await proxy.ask(get(target: "/api/../other")).status == 404)
        }
    }
}
