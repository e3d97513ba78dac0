import BalancerKit
import BalancerKitTesting
import InMemoryTracing
import Logging
import Metrics
import MetricsTestKit
import ScaleCore
import ScaleTesting
import Testing
import Tracing

struct BalancerObservabilityTests {
    private struct Line: Hashable, Sendable {
        var level: Logger.Level
        var text: String
    }

    private struct LineHandler: LogHandler {
        let lines: RecordedFacts<Line>
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        init(lines: RecordedFacts<Line>) {
            self.lines = lines
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            self.lines.record(Line(level: event.level, text: ([event.message.description] + details).joined(separator: " ")))
        }
    }

    private let time = ManualTime()
    private let servers = VirtualEndpoints()
    private let lines = RecordedFacts<Line>()
    private let metrics = TestMetrics()
    private let tracer = InMemoryTracer()

    private func makeBalancer() throws -> Balancer {
        let lines = self.lines
        var configuration = BalancerConfiguration()
        configuration.name = "api"
        configuration.time = self.time.source
        configuration.logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        configuration.metrics = self.metrics
        configuration.tracer = self.tracer
        return try Balancer(endpoints: ["a:80", "b:80"], configuration: configuration)
    }

    @Test func `the log says when an endpoint rests, when a call goes on, and when the endpoint is back`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.refuse("a:80")
        _ = try await balancer.withEndpoint { try await self.servers.call($0) }
        self.servers.accept("a:80")
        await self.time.advance(by: .seconds(11))
        // What the failure took from the weight comes back pick by pick, so the probe is not the very next call.
        for _ in 0..<4 { _ = try await balancer.withEndpoint { try await self.servers.call($0) } }
        #expect(
            self.lines.all == [
                Line(level: .warning, text: "endpoint rests after failures balancer=api endpoint=a:80"),
                Line(level: .debug, text: "call goes on to another endpoint balancer=api from=a:80 to=b:80"),
                Line(level: .notice, text: "endpoint answers again balancer=api endpoint=a:80"),
            ])
    }

    @Test func `metrics count attempts by outcome, repeats, and calls that found nobody`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.refuse("a:80")
        _ = try await balancer.withEndpoint { try await self.servers.call($0) }
        self.servers.refuse("b:80")
        _ = try? await balancer.withEndpoint { try await self.servers.call($0) }
        _ = try? await balancer.withEndpoint { try await self.servers.call($0) }
        func count(_ label: String, _ more: [(String, String)] = []) throws -> Int64 {
            try self.metrics.expectCounter(label, [("balancer", "api")] + more).totalValue
        }
        #expect(try count("balancer.attempts", [("outcome", "success")]) == 1)
        #expect(try count("balancer.attempts", [("outcome", "failure")]) == 2)
        #expect(try count("balancer.attempts", [("outcome", "abandoned")]) == 0)
        #expect(try count("balancer.repeats") == 1)
        #expect(try count("balancer.unavailable") == 1)
        #expect(try self.metrics.expectTimer("balancer.attempt.duration", [("balancer", "api")]).values.count == 3)
    }

    @Test func `a call is one span, which names the last endpoint and the number of attempts`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.refuse("a:80")
        _ = try await balancer.withEndpoint { try await self.servers.call($0) }
        let spans = self.tracer.popFinishedSpans()
        #expect(spans.count == 1)
        let span = try #require(spans.first)
        #expect(span.operationName == "balancer call" && span.errors.isEmpty)
        #expect(span.attributes.get("balancer.name") == .string("api"))
        #expect(span.attributes.get("server.address") == .string("b"))
        #expect(span.attributes.get("server.port") == .int64(80))
        #expect(span.attributes.get("balancer.attempts") == .int64(2))
    }

    @Test func `a call that fails is a span with the error, and what the body starts lies within it`() async throws {
        let balancer = try self.makeBalancer()
        _ = try? await balancer.withEndpoint { _ in
            try self.tracer.withSpan("client") { _ in throw VirtualCallError.connectionLost }
        }
        let spans = self.tracer.popFinishedSpans()
        #expect(spans.map(\.operationName) == ["client", "balancer call"])
        #expect(spans.first?.parentSpanID == spans.last?.spanID)
        #expect(spans.last?.errors.count == 1)
    }

    @Test func `the rate limiter counts verdicts`() throws {
        let limiter = try RateLimiter(
            limits: [RateLimit(rate: .perSecond(1), burst: 1)], name: "api", time: self.time.source, metrics: self.metrics)
        #expect((0..<4).map { _ in limiter.admit(key: "k") }.count == 4)
        func count(_ verdict: String) throws -> Int64 {
            try self.metrics.expectCounter("ratelimiter.requests", [("limiter", "api"), ("verdict", verdict)]).totalValue
        }
        #expect(try [count("pass"), count("delay"), count("reject")] == [1, 1, 2])
    }
}
