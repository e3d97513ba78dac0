import AsyncHTTPClient
import Foundation
import Logging
import QueueKit

/// A Python side with real Celery, which sends to the service's worker and runs what the service sends.
struct CeleryScenario: Sendable {
    let stage: ProcessStage
    let client: HTTPClient
    /// The interpreter.
    let python: String
    let logger: Logger

    var steps: [SmokeScript] {
        [
            SmokeScript(name: "a task from Python is run here", kit: "QueueKit", body: self.fromPython),
            SmokeScript(name: "a job from here is run by Python", kit: "QueueKit", body: self.toPython),
            SmokeScript(name: "Celery's inspect sees the worker", kit: "QueueKit", body: self.inspected),
        ]
    }

    /// What the Python side is: an application as Celery's documentation begins one.
    private static let application = """
        import os

        from celery import Celery

        app = Celery("myapp", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])


        @app.task(name="myapp.tasks.letters")
        def letters(text, upper=False):
            return {"text": text.upper() if upper else text, "count": len(text)}
        """

    private static let sender = """
        from application import app

        result = app.send_task("myapp.tasks.send_email_notification", kwargs={"user_id": 2_000_001})
        print("RESULT", result.get(timeout=60), result.state)
        """

    /// As `celery inspect registered`, which waits no longer than a second unless it is told to, and then all of that time.
    private static let inspector = """
        from application import app

        for node, tasks in (app.control.inspect(timeout=60, limit=1).registered() or {}).items():
            print("REGISTERED", node, *tasks)
        """

    /// A task of the Python side, as it is called from here.
    private struct Letters: Job {
        struct Output: Codable, Sendable, Equatable {
            var text: String
            var count: Int
        }

        static let name = "myapp.tasks.letters"
        static let defaults = JobDefaults(queue: CeleryScenario.queue)
        var text: String
        var upper: Bool
    }

    fileprivate static let queue = "python"

    @Sendable private func fromPython() async throws -> (String, [String: Double]) {
        try self.write(Self.application, "application.py")
        try self.write(Self.sender, "sender.py")
        let sender = try self.start("python-sender", ["\(self.stage.scratch.path)/sender.py"])
        guard try await sender.ending(within: .seconds(90)) == 0 else {
            throw SmokeFailure(description: "the sender failed: \(sender.lastLines)")
        }
        guard sender.output.contains("RESULT sent to user 2000001 SUCCESS") else {
            throw SmokeFailure(description: "the sender read: \(sender.lastLines)")
        }
        return ("sent by keyword, retried once, its result read by AsyncResult.get()", [:])
    }

    @Sendable private func toPython() async throws -> (String, [String: Double]) {
        let worker = try self.start(
            "python-worker", ["-m", "celery", "-A", "application", "worker", "-Q", Self.queue, "--pool", "solo", "-l", "INFO"])
        let output = try await self.stage.withQueue(logger: self.logger) { queue in
            try await queue.enqueue(Letters(text: "grüße 🙂", upper: true)).value(timeout: .seconds(60))
        }
        await worker.end(within: ProcessGroup.endLimit)
        guard output == Letters.Output(text: "GRÜSSE 🙂", count: 7) else { throw SmokeFailure(description: "Python answered \(output)") }
        return ("\(output.count) letters counted by Celery's own worker", [:])
    }

    @Sendable private func inspected() async throws -> (String, [String: Double]) {
        try self.write(Self.inspector, "inspector.py")
        let inspect = try self.start("python-inspect", ["\(self.stage.scratch.path)/inspector.py"])
        let isListed =
            try await inspect.ending(within: .seconds(90)) == 0
            && inspect.output.split(separator: "\n").contains { $0.hasPrefix("REGISTERED ") && $0.contains(SendEmailNotification.name) }
        guard isListed else { throw SmokeFailure(description: "celery's inspect said: \(inspect.lastLines)") }
        return ("`inspect().registered()` lists its task", [:])
    }

    private func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
        let process = try ChildProcess.start(
            name, arguments, of: URL(fileURLWithPath: self.python), in: self.stage.scratch,
            environment: [
                "BROKER": self.stage.servers.rabbitMQ ?? "", "BACKEND": self.stage.servers.redis, "PYTHONPATH": self.stage.scratch.path,
                "PYTHONDONTWRITEBYTECODE": "1",
            ])
        // Also where an interruption ends the wait for it.
        self.stage.processes.add(process)
        return process
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(self.stage.scratch.path)/\(name)"))
    }
}
