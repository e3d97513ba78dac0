import Logging
import Metrics
import MetricsTestKit
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@testable import ScaleRedis

/// Keeps every log line with its metadata.
struct RecordingLogHandler: LogHandler {
    final class Lines: Sendable {
        private let lines = Locked<[String]>([])
        func append(_ line: String) { self.lines.withLock { $0.append(line) } }
        var all: [String] { self.lines.withLock { $0 } }
    }

    let lines: Lines
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.lines.append("\(event.level) \(event.message) \(event.metadata ?? [:])")
    }
}

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct ObservabilityTests {
    @Test func `commands, errors, load and latency are counted`() throws {
        let facts = TestMetrics()
        let metrics = ConnectionMetrics(address: "cache-1:6379", factory: facts)
        let dimensions = [("db.system.name", "redis"), ("server.address", "cache-1:6379")]
        metrics.received(0, latency: nil, inFlight: 9)
        metrics.received(3, latency: .milliseconds(2), inFlight: 7)
        metrics.received(2, latency: nil, inFlight: 5)
        metrics.failed(4)
        #expect(try facts.expectCounter("scalekit.redis.commands", dimensions).totalValue == 5)
        #expect(try facts.expectCounter("scalekit.redis.errors", dimensions).totalValue == 4)
        #expect(try facts.expectGauge("scalekit.redis.in_flight", dimensions).lastValue == 5)
        #expect(try facts.expectTimer("db.client.operation.duration", dimensions).values == [2_000_000])
        metrics.close()
        #expect(try facts.expectGauge("scalekit.redis.in_flight", dimensions).lastValue == 0)
    }

    @Test func `a connection reports what goes over it`() async throws {
        let server = try await PrivateRedis.running()
        let facts = TestMetrics()
        let redis = try RedisClient(server.url, configuration: .test { $0.metricsFactory = facts })
        try await redis.ping()
        _ = try await redis.pipeline([RedisCommand("PING"), RedisCommand("PING")])
        let dimensions = [("db.system.name", "redis"), ("server.address", redis.address)]
        try await eventually("three are counted") {
            try facts.expectCounter("scalekit.redis.commands", dimensions).totalValue == 3
        }
        #expect(try facts.expectTimer("db.client.operation.duration", dimensions).values.allSatisfy { $0 > 0 })
    }

    @Test func `log lines name the server and hold neither values nor secrets`() async throws {
        let server = try await PrivateRedis.running("--requirepass", "pass-w0rd")
        let lines = RecordingLogHandler.Lines()
        let logger = Logger(label: "test", factory: { _ in RecordingLogHandler(lines: lines) })
        let redis = try RedisClient("redis://:pass-w0rd@127.0.0.1:\(server.port)", configuration: .test { $0.logger = logger })
        try await redis.set("key-name", "value-text")
        server.freeze()
        let call = Task { await redisError { _ = try await redis.get("key-name") } }
        try await eventually("it is in flight") { redis.writtenCount == 1 }
        try await server.kill()
        #expect(await call.value?.code == .connectionLost)
        let all = lines.all.joined(separator: "\n")
        #expect(all.contains("connected"))
        #expect(all.contains("connection lost"))
        #expect(all.contains("127.0.0.1:\(server.port)"))
        for secret in ["pass-w0rd", "value-text", "key-name"] { #expect(!all.contains(secret)) }
    }
}
