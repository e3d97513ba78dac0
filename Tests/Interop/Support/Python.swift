import Foundation
import QueueKit
import ScaleTesting
import TestServers

/// Real Celery in a process of its own: see `celery_app.py`.
struct Python {
    static let isInstalled = TestServers.python != nil && TestServers.amqp != nil && TestServers.redis != nil

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// What the processes of one test share.
    static func start(
        _ arguments: String..., script: String = "celery_app.py", host: RabbitMQVirtualHost, settings: JSONObject = [:]
    ) throws -> ChildProcess {
        guard let python = TestServers.python, let redis = TestServers.redis else {
            throw TestFailure("there is no Python with Celery: Scripts/python")
        }
        return try ChildProcess(
            URL(fileURLWithPath: python), [Self.folder.appendingPathComponent(script).path] + arguments,
            environment: [
                "SCALEKIT_INTEROP_BROKER": host.url, "SCALEKIT_INTEROP_BACKEND": redis,
                "SCALEKIT_INTEROP_CONF": JSONValue.object(settings).jsonText(), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            ], talks: true)
    }
}

/// A Python process with a Celery client in it, which does what it is told.
final class CeleryClient: Sendable {
    private let process: ChildProcess

    init(_ host: RabbitMQVirtualHost, settings: JSONObject = [:]) throws {
        self.process = try Python.start("client", host: host, settings: settings)
    }

    /// What Python raised.
    struct Raised: Error, Hashable, CustomStringConvertible {
        var type: String
        var module: String
        var arguments: [String]
        var trace: String
        var description: String { "\(self.module).\(self.type)\(self.arguments): \(self.trace)" }
    }

    /// Writes a command and waits for its answer. One at a time.
    func ask(_ command: JSONObject) async throws -> JSONValue {
        let answered = self.answers.count
        try self.process.write(JSONValue.object(command).jsonText())
        let line = try await eventually(within: .seconds(90), "Python answers; it wrote: \(self.process.output.suffix(2000))") {
            let answers = self.answers
            if answers.count > answered { return answers[answered] }
            guard self.process.isRunning else { throw TestFailure("Python has ended: \(self.process.output.suffix(2000))") }
            return nil
        }
        let answer = try JSONParser.parse(line).objectValue ?? [:]
        if let error = answer["error"]?.objectValue {
            throw Raised(
                type: error["type"]?.stringValue ?? "", module: error["module"]?.stringValue ?? "",
                arguments: error["args"]?.arrayValue?.map { $0.stringValue ?? "" } ?? [], trace: error["trace"]?.stringValue ?? "")
        }
        return answer["answer"] ?? .null
    }

    private var answers: [String] {
        let lines = self.process.output.split(separator: "\n", omittingEmptySubsequences: false)
        // The last one may not be whole yet.
        return lines.dropLast().filter { $0.hasPrefix("answer ") }.map { String($0.dropFirst("answer ".count)) }
    }

    /// `app.send_task(task, args, kwargs, **options)`: the task's id.
    func send(_ task: String, args: [JSONValue] = [], kwargs: JSONObject = [:], options: JSONObject = [:]) async throws -> JobID {
        let id = try await self.ask([
            "do": "send", "task": .string(task), "args": .array(args), "kwargs": .object(kwargs), "options": .object(options),
        ])
        return try require(id.stringValue.flatMap(JobID.init(rawValue:)), "an id")
    }

    /// `AsyncResult(id).get()`; throws what it raises.
    func get(_ id: JobID) async throws -> JSONValue {
        try await self.ask(["do": "get", "id": .string(id.rawValue)]).objectValue?["value"] ?? .null
    }

    /// State and info of `AsyncResult(id)`.
    func state(_ id: JobID) async throws -> JSONObject {
        try await self.ask(["do": "state", "id": .string(id.rawValue)]).objectValue ?? [:]
    }

    func end() async throws { try await self.process.end() }
}
