import Logging

/// The demo's own process as the stage.
struct InProcessStage: SmokeStage {
    let proxy: String
    let instances: [String]
    let empty: String
    var metricsAddresses: [String] { Array(self.instances.prefix(1)) }
    private let demo: DemoProcess

    /// Plays `scenario` on everything in this process, and ends it all.
    static func with<Result: Sendable>(
        _ settings: DemoSettings, metrics: PrometheusRegistry, logger: Logger,
        _ scenario: @escaping @Sendable (InProcessStage) async throws -> Result
    ) async throws -> Result {
        try await ScratchDirectory.with { scratch in
            let demo = try await DemoProcess(settings: settings, scratch: scratch, metrics: metrics, logger: logger)
            let empty = try await Self.emptyInstance(scratch: scratch, logger: logger)
            let told = Announcement<Void>()
            let ended = Announcement<Void>()
            // A task of its own: an interruption cancels the scenario, and what it is played on ends gracefully all the same, and within
            // the runner's limits, whatever a client leaves unfinished.
            let running = Task {
                defer { ended.make(()) }
                try await ServiceRunner(logger: logger).run(until: told) { demo.services + empty.services }
            }
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await scenario(try await Self.listening(demo, empty, unless: ended)))
            } catch {
                result = .failure(error)
            }
            told.make(())
            try await running.value
            return try result.get()
        }
    }

    func stopFirstInstance() async throws {
        try await self.demo.stopFirstInstance()
    }

    /// The stage, once all of its parts listen; one that `ended` before will never.
    private static func listening(
        _ demo: DemoProcess, _ empty: DemoInstance, unless ended: Announcement<Void>
    ) async throws -> InProcessStage {
        try await withThrowingTaskGroup(of: InProcessStage.self) { tasks in
            tasks.addTask {
                InProcessStage(
                    proxy: try await demo.proxyAddress(), instances: try await demo.instanceAddresses(),
                    empty: "http://127.0.0.1:\(try await empty.port.value())", demo: demo)
            }
            tasks.addTask {
                try await ended.value()
                throw SmokeFailure(description: "a part ended before all of them listened")
            }
            defer { tasks.cancelAll() }
            guard let stage = try await tasks.next() else { throw CancellationError() }
            return stage
        }
    }

    private static func emptyInstance(scratch: ScratchDirectory, logger: Logger) async throws -> DemoInstance {
        let hasher = PasswordHasher()
        let metrics = PrometheusRegistry()
        return DemoInstance(
            Instance(
                stores: try await Stores.open(cache: .memory, sessions: .memory, namespace: "empty", metrics: metrics, logger: logger),
                database: try await ProfileDatabase(path: "\(scratch.path)/empty.sqlite", seed: 0, metrics: metrics),
                hasher: hasher, queue: try Jobs.embedded(.memory, logger: logger), metrics: metrics,
                trustedProxies: [], insecureCookies: true, logger: logger),
            logger: logger)
    }
}
