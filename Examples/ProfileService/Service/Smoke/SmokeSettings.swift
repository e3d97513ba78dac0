import AsyncHTTPClient
import Foundation
public import Logging
import NIOCore

/// What `smoke` and `demo --smoke` are told.
public struct SmokeSettings: Sendable {
    public var demo: DemoSettings
    /// Nil: everything in this process, on embedded stores.
    public var servers: SmokeServers?
    /// A Python interpreter that has Celery.
    public var python: String?
    public var json: String?

    public init(demo: DemoSettings, servers: SmokeServers? = nil, json: String? = nil) {
        self.demo = demo
        self.servers = servers
        self.json = json
    }

    /// Plays the scenario and prints it. True when every step succeeded.
    public func run(logger: Logger) async throws -> Bool {
        try self.demo.check()
        if let json { try SmokeReport().write(to: json) }
        if self.demo.listen.port != 0 { try await ListenCheck.run(self.demo.listen) }
        try await self.servers?.probe(logger)
        let report = try await Interruption.watch { try await self.play(logger) }
        if let json { try report.write(to: json) }
        Console.say(report.ok ? "\nAll \(report.steps.count) steps succeeded." : "\nFailed: \(report.steps.last?.name ?? "")")
        return report.ok
    }

    private func play(_ logger: Logger) async throws -> SmokeReport {
        if let servers {
            return try await ProcessStage.with(self.demo, on: servers) { stage in
                try await Self.play(on: stage) { client in
                    guard servers.rabbitMQ != nil else { return [] }
                    return FaultScenario(stage: stage, client: client, logger: logger).steps
                        + (self.python.map { CeleryScenario(stage: stage, client: client, python: $0, logger: logger).steps } ?? [])
                }
            }
        } else {
            let metrics = PrometheusRegistry()
            metrics.install()
            return try await InProcessStage.with(self.demo, metrics: metrics, logger: logger) { try await Self.play(on: $0) { _ in [] } }
        }
    }

    private static func play(on stage: some SmokeStage, _ furtherSteps: (HTTPClient) -> [SmokeScript]) async throws -> SmokeReport {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(60)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
            await SmokeScenario(stage: stage, client: client, furtherSteps: furtherSteps(client)) { step in
                Console.say(
                    "\(step.ok ? "ok  " : "FAIL") \(step.kit.padding(toLength: 13, withPad: " ", startingAt: 0)) \(step.name): \(step.detail)"
                )
            }.run()
        }
    }
}
