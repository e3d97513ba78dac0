import AsyncHTTPClient
import Foundation
public import Logging

/// What `demo --smoke` is told.
public struct SmokeSettings: Sendable {
    public var demo: DemoSettings
    public var redis: StoreChoice?
    public var json: String?

    public init(demo: DemoSettings, redis: StoreChoice? = nil, json: String? = nil) {
        self.demo = demo
        self.redis = redis
        self.json = json
    }

    /// Plays the scenario and prints it. True when every step succeeded.
    public func run(logger: Logger) async throws -> Bool {
        try self.demo.check()
        if let json { try SmokeReport().write(to: json) }
        if self.demo.listen.port != 0 { try await ListenCheck.run(self.demo.listen) }
        if case .redis(let url)? = self.redis { try await RedisClients(logger: logger).probe(url, flag: "--redis") }
        let report = try await Interruption.watch { try await self.play(logger) }
        if let json { try report.write(to: json) }
        Console.say(report.ok ? "\nAll \(report.steps.count) steps succeeded." : "\nFailed: \(report.steps.last?.name ?? "")")
        return report.ok
    }

    private func play(_ logger: Logger) async throws -> SmokeReport {
        if case .redis(let url)? = self.redis {
            return try await ProcessStage.with(self.demo, redis: url) { try await Self.play(on: $0) }
        } else {
            let metrics = PrometheusRegistry()
            metrics.install()
            return try await InProcessStage.with(self.demo, metrics: metrics, logger: logger) { try await Self.play(on: $0) }
        }
    }

    private static func play(on stage: some SmokeStage) async throws -> SmokeReport {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
            await SmokeScenario(stage: stage, client: client) { step in
                Console.say(
                    "\(step.ok ? "ok  " : "FAIL") \(step.kit.padding(toLength: 13, withPad: " ", startingAt: 0)) \(step.name): \(step.detail)"
                )
            }.run()
        }
    }
}
