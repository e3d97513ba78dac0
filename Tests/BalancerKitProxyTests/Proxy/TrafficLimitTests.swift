import BalancerKit
import Logging
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct TrafficLimitTests {
    static func configuration(
        _ upstream: ScriptedUpstream, requests: [RequestLimit] = [], connections: [ConnectionLimit] = [], key: LimitKey = .clientAddress,
        rate: RateLimit.Rate = .perMinute(60), _ change: (inout TrafficLimits) -> Void = { _ in }
    ) -> ProxyConfiguration {
        var configuration = BalancerKitProxyTests.configuration(upstream.port)
        configuration.requestZones = [RequestZone(name: "one", key: key, rate: rate)]
        configuration.connectionZones = [ConnectionZone(name: "in flight", key: key)]
        configuration.routes[0].limits.requests = requests
        configuration.routes[0].limits.connections = connections
        change(&configuration.routes[0].limits)
        return configuration
    }

    @Test func `beyond the burst requests are rejected, until the rate has made room`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let time = ManualTime()
        let configuration = Self.configuration(upstream, requests: [RequestLimit(zone: "one", burst: 3, delay: .never)])
        try await withProxy(configuration, time: time.source) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            var statuses: [Int] = []
            for _ in 0..<7 {
                try await connection.send(get())
                statuses.append(try await connection.response().status)
            }
            // As measured with nginx: burst=3 nodelay, 7 at once.
            #expect(statuses == [200, 200, 200, 200, 503, 503, 503])
            #expect(upstream.requests.count == 4)
            let line = try #require(proxy.log.all.first { $0.contains("too many requests") })
            #expect(line.hasPrefix("error ") && line.contains("\"zone\": one"))
            await time.advance(by: .seconds(1))
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a delayed request waits for its turn, what is sent ahead behind it, and a client that leaves is forgotten`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let time = ManualTime()
        let configuration = Self.configuration(upstream, requests: [RequestLimit(zone: "one", burst: 2)]) { $0.requestLogLevel = .warning }
        try await withProxy(configuration, time: time.source) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get() + get(target: "/second") + get(target: "/third"))
            #expect(try await connection.response().status == 200)
            _ = try await proxy.log.first("the second is delayed") { $0.contains("request delayed") && $0.hasPrefix("notice ") }
            #expect(upstream.requests.count == 1)
            let leaving = try await proxy.connect()
            try await leaving.send(get(target: "/leaves"))
            try await eventually("two are delayed") { proxy.log.all.count { $0.contains("request delayed") } == 2 }
            await leaving.close()
            #expect(upstream.requests.count == 1)
            await time.advance(by: .seconds(1))
            #expect(try await connection.response().status == 200)
            try await eventually("the third waits") { proxy.log.all.count { $0.contains("request delayed") } == 3 }
            await time.advance(by: .seconds(3))
            #expect(try await connection.response().status == 200)
            #expect(upstream.requests.map(\.line) == ["/a", "/second", "/third"].map { "GET \($0) HTTP/1.1" })
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a delay is short where the clock is the machine's own`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let configuration = Self.configuration(upstream, requests: [RequestLimit(zone: "one", burst: 50)], rate: .perSecond(200))
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            for _ in 0..<20 {
                try await connection.send(get())
                #expect(try await connection.response().status == 200)
            }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `keys tell requests apart, and one that is empty is not limited`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let limits = [RequestLimit(zone: "one")]
        func statuses(_ key: LimitKey, _ requests: [String]) async throws -> [Int] {
            try await withProxy(Self.configuration(upstream, requests: limits, key: key), time: ManualTime().source) { proxy in
                var statuses: [Int] = []
                for request in requests { statuses.append(try await proxy.ask(request).status) }
                return statuses
            }
        }
        #expect(try await statuses(.clientAddress, [get(), get()]) == [200, 503])
        #expect(
            try await statuses(LimitKey([.header("X-User")]), [get("x-user: a"), get("X-User: b"), get("X-User: a"), get(), get()])
                == [200, 200, 503, 200, 200])
        #expect(try await statuses(LimitKey([.host]), [get(host: "a"), get(host: "A:80"), get(host: "b")]) == [200, 503, 200])
        #expect(try await statuses(LimitKey([.path]), [get(target: "/a?x"), get(target: "/%61?y"), get(target: "/b")]) == [200, 503, 200])
        #expect(try await statuses(LimitKey([.text("all")]), [get(), get(host: "b")]) == [200, 503])
        #expect(
            try await statuses(LimitKey([.method, .header("X")]), [get("X: 1"), get("X: 1", method: "PUT"), get("X: 1")]) == [
                200, 200, 503,
            ])
        await upstream.stop()
    }

    @Test func `long keys are told apart as well, and take no more room than others`() async throws {
        let long = String(repeating: "k", count: 5000)
        #expect(LimitKey.remembered(long + "a").utf8.count <= 128)
        #expect(LimitKey.remembered(long + "a") != LimitKey.remembered(long + "b"))
        #expect(LimitKey.remembered("short") == "short")
        let upstream = try await ScriptedUpstream.start()
        let configuration = Self.configuration(upstream, requests: [RequestLimit(zone: "one")], key: LimitKey([.header("X-User")]))
        try await withProxy(configuration, time: ManualTime().source) { (proxy: RunningProxy) async throws in
            var statuses: [Int] = []
            for user in ["a", "b", "a"] { statuses.append(try await proxy.ask(get("X-User: \(long)\(user)")).status) }
            #expect(statuses == [200, 200, 503])
        }
        await upstream.stop()
    }

    @Test func `behind a trusted proxy the client counts, not the proxy; a header from others makes no difference`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = Self.configuration(upstream, requests: [RequestLimit(zone: "one")])
        try await withProxy(configuration, time: ManualTime().source) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get("X-Forwarded-For: 10.0.0.1")).status == 200)
            #expect(try await proxy.ask(get("X-Forwarded-For: 10.0.0.2")).status == 503)
        }
        configuration.forwarding.trustedProxies = [try CIDRBlock("127.0.0.0/8")]
        try await withProxy(configuration, time: ManualTime().source) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get("X-Forwarded-For: 10.0.0.1")).status == 200)
            #expect(try await proxy.ask(get("X-Forwarded-For: 10.0.0.2")).status == 200)
            #expect(try await proxy.ask(get("X-Forwarded-For: 10.0.0.1")).status == 503)
        }
        await upstream.stop()
    }

    @Test func `the status, and whether it is only watched, are as configured`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let limits = [RequestLimit(zone: "one")]
        try await withProxy(Self.configuration(upstream, requests: limits) { $0.requestStatus = 429 }, time: ManualTime().source) {
            (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            #expect(try await proxy.ask(get()).status == 429)
        }
        try await withProxy(Self.configuration(upstream, requests: limits) { $0.isRequestDryRun = true }, time: ManualTime().source) {
            (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            #expect(try await proxy.ask(get()).status == 200)
            #expect(proxy.log.all.contains { $0.contains("too many requests") && $0.contains("\"dry_run\": true") })
        }
        await upstream.stop()
    }

    @Test func `requests in flight are counted, from the end of the head to the end of the answer`() async throws {
        let upstream = try await ScriptedUpstream.start { $0.line.contains("/slow") ? [] : [.send(ok("hello"))] }
        let configuration = Self.configuration(upstream, connections: [ConnectionLimit(zone: "in flight", connections: 2)]) {
            $0.connectionStatus = 429
        }
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            // Idle connections do not count.
            let idle = try await proxy.connect()
            try await idle.send(get())
            #expect(try await idle.response().status == 200)
            let first = try await proxy.connect()
            try await first.send(get(target: "/slow"))
            let second = try await proxy.connect()
            try await second.send(get(target: "/slow"))
            try await eventually("both are under way") { upstream.requests.count == 3 }
            try await idle.send(get())
            #expect(try await idle.response().status == 429)
            #expect(proxy.log.all.contains { $0.contains("too many connections") && $0.hasPrefix("error ") })
            // One that is answered and one that leaves make room.
            try await upstream.send(ok("done"), on: 0)
            #expect(try await first.response().body == "done")
            try await idle.send(get())
            #expect(try await idle.response().status == 200)
            try await first.send(get(target: "/slow"))
            try await eventually("full again") { upstream.requests.count == 5 }
            await second.close()
            try await eventually("there is room") {
                try await idle.send(get())
                return try await idle.response().status == 200
            }
            await first.close()
            await idle.close()
        }
        await upstream.stop()
    }

    @Test func `zones are bounded, and a request counts under all of its limits or none`() {
        var zone = ConnectionZone(name: "a")
        zone.maximumKeys = 1
        var state = TrafficState([RequestZone(name: "r", rate: .perSecond(1))], [zone, ConnectionZone(name: "b")])
        let limits = [0, 1].map { PlannedLimits.Connection(zone: $0, name: "", key: .clientAddress, connections: 2) }
        #expect(state.enter(limits, keys: ["x", "x"]) == nil)
        #expect(state.enter(limits, keys: ["y", "y"]) == 0)
        #expect(state.enter([limits[1], limits[0]], keys: ["y", "y"]) == 1)
        // What the second zone had counted of the rejected one is taken back.
        #expect(state.connectionKeyCount == 2)
        #expect(state.enter(limits, keys: ["x", "x"]) == nil)
        #expect(state.enter(limits, keys: ["x", "x"]) == 0)
        #expect(state.enter(limits, keys: ["", String(repeating: "k", count: 256)]) == nil)
        state.leave(limits, keys: ["x", "x"])
        state.leave(limits, keys: ["x", "x"])
        state.leave(limits, keys: ["x", "x"])
        #expect(state.connectionKeyCount == 0)
    }

    @Test func `a limit names a zone that there is, once, and can be kept`() {
        func place(_ change: (inout ProxyConfiguration) -> Void) -> String? {
            var configuration = BalancerKitProxyTests.configuration(1)
            configuration.requestZones = [RequestZone(name: "r", rate: .perSecond(1))]
            configuration.connectionZones = [ConnectionZone(name: "c")]
            change(&configuration)
            return #expect(throws: ProxyError.self) { try ReverseProxy(configuration) }?.place
        }
        #expect(place { $0.routes[0].limits.requests = [RequestLimit(zone: "c")] } == "limits.requests")
        #expect(place { $0.routes[0].limits.requests = [RequestLimit(zone: "r"), RequestLimit(zone: "r")] } == "limits.requests")
        #expect(place { $0.routes[0].limits.requests = [RequestLimit(zone: "r", burst: -1)] } == "limits.requests")
        #expect(place { $0.routes[0].limits.connections = [ConnectionLimit(zone: "r", connections: 1)] } == "limits.connections")
        #expect(place { $0.routes[0].limits.connections = [ConnectionLimit(zone: "c", connections: 0)] } == "limits.connections")
        #expect(place { $0.routes[0].limits.requestStatus = 200 } == "limits.requestStatus")
        #expect(place { $0.requestZones.append(RequestZone(name: "r", rate: .perSecond(1))) } == "requestZones")
        #expect(place { $0.requestZones[0].rate = .perSecond(0) } == "requestZones")
        #expect(place { $0.connectionZones[0].maximumKeys = 0 } == "connectionZones")
    }
}
