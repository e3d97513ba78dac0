import Foundation
import QueueKit
import ScaleTesting
import TestServers

/// Celery's command line: `celery inspect`, `celery control`, and Flower, which is one of its commands.
enum CeleryTool {
    /// Ends itself after ten minutes, whatever becomes of those who started it.
    private static let launcher = "import signal, sys; signal.alarm(600); from celery.__main__ import main; sys.exit(main())"

    static func start(
        _ arguments: [String], host: RabbitMQVirtualHost, environment: [String: String] = [:]
    ) throws -> ChildProcess {
        guard let python = TestServers.python, let redis = TestServers.redis else {
            throw TestFailure("there is no Python with Celery: Scripts/python")
        }
        let own = [
            "SCALEKIT_INTEROP_BROKER": host.url, "SCALEKIT_INTEROP_BACKEND": redis, "PYTHONPATH": Python.folder.path,
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        ]
        return try ChildProcess(
            URL(fileURLWithPath: python), ["-c", Self.launcher, "-A", "celery_app"] + arguments,
            environment: own.merging(environment) { $1 }, talks: true)
    }

    /// Runs a command to its end and returns what it wrote.
    static func run(_ arguments: String..., host: RabbitMQVirtualHost) async throws -> String {
        let process = try Self.start(arguments, host: host)
        try await eventually(within: .seconds(90), "celery \(arguments.first ?? "") ends") { !process.isRunning }
        return process.output
    }

    /// The answers to `celery inspect`, by node. Celery waits for one answer of each destination, and for those of all nodes as long as it may.
    static func inspect(_ arguments: String..., from nodes: String = WatchedWorker.node, host: RabbitMQVirtualHost) async throws
        -> JSONObject
    {
        let process = try Self.start(["inspect", "--json", "--timeout", "20", "--destination", nodes] + arguments, host: host)
        try await eventually(within: .seconds(90), "celery inspect \(arguments) ends") { !process.isRunning }
        let output = process.output
        let line = try require(
            output.split(separator: "\n").first { $0.hasPrefix("{") }, "an answer of one worker in: \(output.suffix(2000))")
        return try JSONParser.parse(String(line)).objectValue ?? [:]
    }
}
