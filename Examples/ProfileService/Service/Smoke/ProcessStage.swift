import Foundation
import NIOCore
import NIOPosix

/// Every part as a process of its own, with cache and sessions on Redis and jobs in a SQLite file.
struct ProcessStage: SmokeStage {
    let proxy: String
    let instances: [String]
    let empty: String
    var metricsAddresses: [String] { self.instances }
    private let processes: [ChildProcess]

    /// More than a part takes by itself, and within the 10 s in which the whole is to end.
    static let endLimit = Duration.seconds(9)

    /// Plays `scenario` on a set of processes, and ends all that were started, however it goes.
    static func with<Result: Sendable>(
        _ settings: DemoSettings, redis: String, _ scenario: @escaping @Sendable (ProcessStage) async throws -> Result
    ) async throws -> Result {
        try await ScratchDirectory.with { scratch in
            try await Self.ending { processes in
                try await scenario(try await Self.start(settings, redis: redis, scratch: scratch, &processes))
            }
        }
    }

    /// Ends what `body` has started, also when it throws between two starts.
    ///
    /// - Parameter limit: how long a process may take to end by itself.
    static func ending<Result: Sendable>(
        within limit: Duration = Self.endLimit, _ body: (inout [ChildProcess]) async throws -> Result
    ) async throws -> Result {
        var processes: [ChildProcess] = []
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(&processes))
        } catch {
            result = .failure(error)
        }
        await Self.end(processes, within: limit)
        return try result.get()
    }

    /// Ends all at once: nothing is in flight any more.
    private static func end(_ processes: [ChildProcess], within limit: Duration) async {
        // In a task of its own, since this one may have been cancelled, and the processes are to be gone all the same.
        await Task {
            await withTaskGroup(of: Void.self) { tasks in
                for process in processes { tasks.addTask { await process.end(within: limit) } }
            }
        }.value
    }

    func stopFirstInstance() async throws {
        let status = try await self.processes[0].stop()
        guard status == 0 else { throw SmokeFailure(description: "the stopped instance exited with \(status)") }
    }

    /// - Parameter processes: gets each process as it is started, also when a later one cannot be.
    private static func start(
        _ settings: DemoSettings, redis: String, scratch: ScratchDirectory, _ processes: inout [ChildProcess]
    ) async throws -> ProcessStage {
        let ports = try await FreePorts.find(4)
        let namespace = "smoke-\(UUID().uuidString.prefix(8))"
        let shared = [
            "--cache", redis, "--sessions", redis, "--queue", "sqlite:\(scratch.path)/jobs.sqlite", "--trusted-proxy", "127.0.0.1",
        ]
        let database = settings.database ?? "\(scratch.path)/profiles.sqlite"
        func serve(_ port: Int, database: String, seed: Int, namespace: String) -> [String] {
            ["serve", "--listen", "127.0.0.1:\(port)", "--database", database, "--seed", "\(seed)", "--cache-namespace", namespace]
                + ["--insecure-cookies"] + shared
        }
        let proxyPort = settings.listen.port == 0 ? ports[3] : settings.listen.port
        let upstreams = ports[0..<2].flatMap { ["--upstream", "127.0.0.1:\($0)"] }
        let commands: [(String, [String])] = [
            ("serve-1", serve(ports[0], database: database, seed: settings.seed, namespace: namespace)),
            ("serve-2", serve(ports[1], database: database, seed: settings.seed, namespace: namespace)),
            ("serve-empty", serve(ports[2], database: "\(scratch.path)/empty.sqlite", seed: 0, namespace: "\(namespace)-empty")),
            ("worker", ["worker", "--queue", "sqlite:\(scratch.path)/jobs.sqlite", "--fail-first-attempts"]),
            ("proxy", ["proxy", "--listen", "\(settings.listen.host):\(proxyPort)"] + upstreams),
        ]
        for (name, arguments) in commands { processes.append(try ChildProcess.start(name, arguments, in: scratch)) }
        return ProcessStage(
            proxy: "http://\(settings.listen.host):\(proxyPort)", instances: ports[0..<2].map { "http://127.0.0.1:\($0)" },
            empty: "http://127.0.0.1:\(ports[2])", processes: processes)
    }
}

/// Ports that nobody listens on at the moment.
enum FreePorts {
    static func find(_ count: Int) async throws -> [Int] {
        // All are held at once, so that they differ.
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get())
        }
        let ports = channels.compactMap { $0.localAddress?.port }
        for channel in channels { try await channel.close() }
        return ports
    }
}
