import Foundation
import Logging
import QueueKit

/// Every part as a process of its own, on real servers.
struct ProcessStage: SmokeStage {
    let proxy: String
    let instances: [String]
    let empty: String
    let servers: SmokeServers
    let processes: ProcessGroup
    let scratch: ScratchDirectory
    var metricsAddresses: [String] { self.instances }

    static let firstInstance = "serve-1"
    private static let secondInstance = "serve-2"
    static let worker = "worker"

    /// Plays `scenario` on a set of processes, and ends all that were started, however it goes.
    static func with<Result: Sendable>(
        _ settings: DemoSettings, on servers: SmokeServers, _ scenario: @escaping @Sendable (ProcessStage) async throws -> Result
    ) async throws -> Result {
        try await ScratchDirectory.with { scratch in
            try await ProcessGroup.with(in: scratch) { processes in
                try await scenario(try await Self.start(settings, on: servers, scratch: scratch, processes))
            }
        }
    }

    /// Runs `body` with the queue of the instances and the worker, seen from this process.
    func withQueue<Result: Sendable>(logger: Logger, _ body: (JobQueue) async throws -> Result) async throws -> Result {
        guard let rabbitMQ = self.servers.rabbitMQ else { throw SmokeFailure(description: "the jobs are not on RabbitMQ") }
        var clients = RedisClients(patience: .long, logger: logger)
        let jobs = try await Jobs.open(
            .rabbitMQ(url: rabbitMQ), results: .redis(url: self.servers.redis), clients: &clients, patience: .long, logger: logger)
        return try await ServiceScope.with(clients.all + jobs.services, logger: logger) { try await body(jobs.queue) }
    }

    func stopFirstInstance() async throws {
        let status = try await self.processes.process(Self.firstInstance).stop()
        guard status == 0 else { throw SmokeFailure(description: "the stopped instance exited with \(status)") }
    }

    /// Ends both instances, and starts them again with the patience that they have by default.
    func startInstancesWithUsualPatience() async throws {
        for name in [Self.firstInstance, Self.secondInstance] {
            _ = try await self.processes.process(name).stop()
            try self.processes.startAgain(name, without: Self.patience)
        }
    }

    /// A pause of a busy machine is not to pass for a server that is down.
    private static let patience = ["--store-timeout", "20"]

    private static func start(
        _ settings: DemoSettings, on servers: SmokeServers, scratch: ScratchDirectory, _ processes: ProcessGroup
    ) async throws -> ProcessStage {
        let ports = try await FreePorts.find(4)
        let namespace = "smoke-\(UUID().uuidString.prefix(8))"
        let jobs =
            ["--queue", servers.rabbitMQ ?? "sqlite:\(scratch.path)/jobs.sqlite"]
            + (servers.rabbitMQ == nil ? [] : ["--results", servers.redis])
        let shared =
            ["--cache", servers.memcached ?? servers.redis, "--sessions", servers.redis, "--trusted-proxy", "127.0.0.1"] + jobs
            + Self.patience
        let database = settings.database ?? "\(scratch.path)/profiles.sqlite"
        func serve(_ port: Int, database: String, seed: Int, namespace: String) -> [String] {
            ["serve", "--listen", "127.0.0.1:\(port)", "--database", database, "--seed", "\(seed)", "--cache-namespace", namespace]
                + ["--insecure-cookies"] + shared
        }
        let proxyPort = settings.listen.port == 0 ? ports[3] : settings.listen.port
        let upstreams = ports[0..<2].flatMap { ["--upstream", "127.0.0.1:\($0)"] }
        let commands: [(String, [String])] = [
            (Self.firstInstance, serve(ports[0], database: database, seed: settings.seed, namespace: namespace)),
            (Self.secondInstance, serve(ports[1], database: database, seed: settings.seed, namespace: namespace)),
            ("serve-empty", serve(ports[2], database: "\(scratch.path)/empty.sqlite", seed: 0, namespace: "\(namespace)-empty")),
            // Its log is the list of the mails that were sent.
            (Self.worker, ["worker", "--fail-first-attempts", "--log-level", "info"] + jobs + Self.patience),
            (
                "proxy",
                ["proxy", "--listen", "\(settings.listen.host):\(proxyPort)"] + upstreams + (servers.nginx.map { ["--nginx", $0] } ?? [])
            ),
        ]
        for (name, arguments) in commands { try processes.start(name, arguments) }
        return ProcessStage(
            proxy: "http://\(settings.listen.host):\(proxyPort)", instances: ports[0..<2].map { "http://127.0.0.1:\($0)" },
            empty: "http://127.0.0.1:\(ports[2])", servers: servers, processes: processes, scratch: scratch)
    }
}
