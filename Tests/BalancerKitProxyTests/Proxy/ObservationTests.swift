import BalancerKit
import Logging
import Metrics
import MetricsTestKit
import ScaleCore
import ScaleTesting
import Testing
import Tracing

@testable import BalancerKitProxy

@Suite struct AccessLogTests {
    static let secret = "GET /path?token=hunter2 HTTP/1.1\r\nHost: a\r\nCookie: hunter2\r\nAuthorization: hunter2\r\n\r\n"

    @Test func `each request is a line with what happened and nothing that may be secret`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.accessLog = .info
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(Self.secret)
            let lines = try await proxy.log.waitForCount(2)
            let line = try #require(lines.first { $0.hasPrefix("info request [") })
            for part in [
                "\"client\": 127.0.0.1", "\"method\": GET", "\"path\": /path", "\"status\": 200", "\"bytes\": 5", "\"duration_us\": ",
                "\"upstream\": 127.0.0.1:\(upstream.port)",
            ] {
                #expect(line.contains(part), "\(part) in \(line)")
            }
            #expect(!line.contains("hunter2") && !line.contains("token"))
        }
        await upstream.stop()
    }

    @Test func `a path cannot write into the log what a terminal or a reader of lines takes for something else`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.accessLog = .info
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            // C1's control sequence introducer, the next line, a line separator, what turns the text around; a quote.
            _ = try await proxy.ask(get(target: "/a\u{9B}31m\u{85}\u{2028}\u{202E}\"x\"%0ab"))
            let line = try await proxy.log.first("the request's line") { $0.hasPrefix("info request [") }
            #expect(line.contains("\"path\": /a%C2%9B31m%C2%85%E2%80%A8%E2%80%AE%22x%22%0ab"), "\(line)")
        }
        await upstream.stop()
    }

    @Test func `refused, unanswered and abandoned requests have their line too`() async throws {
        let silent = try await ScriptedUpstream.start { _ in [] }
        let closed = try ScriptedUpstream.closedPort()
        var configuration = configuration(silent.port)
        configuration.accessLog = .info
        configuration.limits.bodyLength = 1
        configuration.routes.append(ProxyRoute(prefix: "/admin", action: .refuse(status: 403)))
        configuration.routes.append(
            ProxyRoute(prefix: "/dead", upstream: .init(endpoints: [Endpoint(host: "127.0.0.1", port: closed)])))
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            func line(_ status: Int) async throws -> String {
                try await eventually("a line with status \(status)") {
                    proxy.log.all.first { $0.hasPrefix("info request [") && $0.contains("\"status\": \(status)") }
                }
            }
            _ = try await proxy.ask(get(target: "/admin?x=hunter2"))
            #expect(try await line(403).contains("\"upstream\": -"))
            _ = try await proxy.ask(get(target: "/dead"))
            #expect(try await line(502).contains("\"upstream\": 127.0.0.1:\(closed)"))
            _ = try await proxy.ask(get("Content-Length: 2"))
            _ = try await line(413)
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { silent.requests.count == 1 }
            await connection.close()
            #expect(try await line(499).contains("\"upstream\": 127.0.0.1:\(silent.port)"))
            #expect(!proxy.log.all.contains { $0.contains("hunter2") })
        }
        await silent.stop()
    }

    @Test func `it is silent where the configuration or the logger's level says so`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var off = configuration(upstream.port)
        off.accessLog = nil
        var debug = configuration(upstream.port)
        debug.accessLog = .debug
        for configuration in [off, debug] {
            try await withProxy(configuration, level: .info) { (proxy: RunningProxy) async throws in
                _ = try await proxy.ask(get())
                #expect(!proxy.log.all.contains { $0.contains("info request [") || $0.contains("debug request") })
            }
        }
        #expect(ProxyConfiguration(endpoints: []).accessLog == .debug)
        await upstream.stop()
    }
}

@Suite struct ProxyMetricsTests {
    @Test func `what the proxy does is counted under the documented names and labels`() async throws {
        let metrics = TestMetrics()
        let upstream = try await ScriptedUpstream.start { request in
            switch request.line {
            case let line where line.contains("/breaks"): [.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .close]
            case let line where line.contains("/dies") && request.connection > 0 && request.index > 0: [.close]
            default: [.send(ok("hello"))]
            }
        }
        var configuration = configuration(upstream.port)
        configuration.routes.append(ProxyRoute(prefix: "/admin", action: .refuse(status: 403)))
        try await withProxy(configuration, metrics: metrics) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).status == 200)
            #expect(try await proxy.ask(get(target: "/admin")).status == 403)
            #expect(try await proxy.ask(get(method: "get")).status == 400)
            let broken = try await proxy.connect()
            try await broken.send(get(target: "/breaks"))
            try await broken.untilEnd()
            #expect(try await proxy.ask(get()).status == 200)
            // A kept connection ends under the request, which is then sent once more.
            #expect(try await proxy.ask(get(target: "/dies")).status == 200)
        }
        func count(_ label: String, _ dimensions: [(String, String)] = []) throws -> Int64 {
            try metrics.expectCounter(label, dimensions).values.reduce(0, +)
        }
        #expect(try count("proxy.requests", [("status", "2xx")]) == 4)
        #expect(try count("proxy.requests", [("status", "4xx")]) == 2)
        #expect(try count("proxy.responses.lost") == 1)
        #expect(try count("proxy.upstream.retries") == 1)
        #expect(try count("proxy.upstream.connects") == 3)
        #expect(try metrics.expectTimer("http.server.request.duration").values.count == 5)
        #expect(try metrics.expectMeter("proxy.connections.active").values.last ?? 0 == 0)
        await upstream.stop()
    }

    @Test func `a client that leaves is counted apart`() async throws {
        let metrics = TestMetrics()
        let upstream = try await ScriptedUpstream.start { _ in [] }
        try await withProxy(configuration(upstream.port), metrics: metrics) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            try await eventually("the connection is counted") {
                try metrics.expectMeter("proxy.connections.active").values.last == 1
            }
            await connection.close()
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
        }
        #expect(try metrics.expectMeter("proxy.connections.active").values.last == 0)
        #expect(try metrics.expectCounter("proxy.requests", [("status", "499")]).values == [1])
        await upstream.stop()
    }
}

@Suite struct TracingTests {
    static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func `without a tracer a trace goes through as it came`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port), tracer: NoOpTracer()) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(get("traceparent: \(Self.parent)", "tracestate: a=1"))
            #expect(upstream.requests.last?.fields("traceparent") == [Self.parent])
            #expect(upstream.requests.last?.fields("tracestate") == ["a=1"])
        }
        await upstream.stop()
    }

    @Test func `with a tracer each request is a span of the client's trace, and the upstream's parent`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let tracer = W3CTracer()
        var configuration = configuration(upstream.port)
        configuration.routes.append(ProxyRoute(prefix: "/bad", action: .refuse(status: 503)))
        try await withProxy(configuration, tracer: tracer) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(get("TraceParent: \(Self.parent)", "X: 1", "Connection: traceparent", target: "/a?token=hunter2"))
            _ = try await proxy.ask(get())
            _ = try await proxy.ask(get(target: "/bad"))
        }
        let fields = upstream.requests.map { $0.fields("traceparent") }
        #expect(fields[0] == ["00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01"])
        #expect(fields[1] == ["00-00000000000000000000000000000002-0000000000000002-01"])
        #expect(upstream.requests[0].field("X") == "1")
        let spans = tracer.ended.all
        #expect(spans.map(\.name) == ["GET", "GET", "GET"])
        #expect(spans.map(\.kind) == [.server, .server, .server])
        #expect(spans[0].attributes.contains("http.response.status_code=200"))
        #expect(spans[0].attributes.contains("url.path=/a"))
        #expect(spans[0].attributes.contains("proxy.upstream=127.0.0.1:\(upstream.port)"))
        #expect(!spans[0].attributes.contains("hunter2"))
        #expect(spans.map(\.isError) == [false, false, true])
        await upstream.stop()
    }

    @Test func `what a tracer writes cannot end a header line`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port), tracer: W3CTracer(state: "a\r\nX-Evil: 1")) {
            (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(get())
            #expect(upstream.requests.last?.fields("tracestate") == [])
            #expect(upstream.requests.last?.field("X-Evil") == nil)
            #expect(upstream.requests.last?.fields("traceparent").count == 1)
        }
        await upstream.stop()
    }
}
