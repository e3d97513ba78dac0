import BalancerKit
import BalancerKitProxy
import Logging
import Metrics
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Tracing

/// A proxy that listens for the length of a test.
struct RunningProxy: Sendable {
    let port: Int
    let address: ProxyAddress
    let log: RecordedFacts<String>
    let group: ServiceGroup
    let proxy: ReverseProxy

    func connect() async throws -> RawConnection {
        try await RawConnection.connect(self.port)
    }

    /// Sends on a connection of its own, and returns the response.
    func ask(_ text: String, file: String = #fileID, line: Int = #line) async throws -> RawResponse {
        let connection = try await self.connect()
        try await connection.send(text)
        let response = try await connection.response(file: file, line: line)
        await connection.close()
        return response
    }

    /// Begins a graceful shutdown.
    func beginShutdown() async {
        await self.group.triggerGracefulShutdown()
    }
}

/// One event loop, so that a test knows which connections there are.
func configuration(_ ports: Int...) -> ProxyConfiguration {
    var configuration = ProxyConfiguration(endpoints: ports.map { Endpoint(host: "127.0.0.1", port: $0) })
    configuration.port = 0
    configuration.threads = 1
    configuration.timeouts.shutdownIdle = .zero
    configuration.accessLog = nil
    return configuration
}

/// Runs a proxy around `body`, and shuts it down gracefully.
func withProxy<Value: Sendable>(
    _ configuration: ProxyConfiguration, level: Logger.Level = .trace, metrics: any MetricsFactory = NOOPMetricsHandler.instance,
    tracer: (any Tracer)? = nil, time: TimeSource = .system, _ body: @Sendable (RunningProxy) async throws -> Value
) async throws -> Value {
    let log = RecordedFacts<String>()
    let logger = Logger(label: "test") { _ in RecordingLogHandler(log, level) }
    let proxy = try ReverseProxy(configuration, logger: logger, metrics: metrics, tracer: tracer, time: time)
    let group = ServiceGroup(services: [proxy], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let address = try await proxy.address()
        let running = RunningProxy(port: address.port, address: address, log: log, group: group, proxy: proxy)
        do {
            let value = try await body(running)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return value
        } catch {
            await group.triggerGracefulShutdown()
            try? await tasks.waitForAll()
            throw error
        }
    }
}

private struct RecordingLogHandler: LogHandler {
    let log: RecordedFacts<String>
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    init(_ log: RecordedFacts<String>, _ level: Logger.Level) {
        self.log = log
        self.logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.log.record("\(event.level) \(event.message) \(event.metadata ?? [:])")
    }
}
