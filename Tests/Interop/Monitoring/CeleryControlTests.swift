import Foundation
import QueueKit
import ScaleTesting
import TestServers
import Testing

/// `celery inspect` and `celery control` of the real Celery, asking a Swift worker.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct CeleryControlTests {
    private static let node = WatchedWorker.node

    @Test func `celery inspect lists the worker, what it runs, what it can run and where from`() async throws {
        try await WatchedWorker.with { worker in
            let ping = try await CeleryTool.run("inspect", "--timeout", "5", "ping", host: worker.host)
            #expect(ping.contains("\(Self.node): OK"), "\(ping)")
            #expect(ping.contains("1 node online"), "\(ping)")
            #expect(
                try await CeleryTool.inspect("registered", host: worker.host)
                    == [Self.node: ["swift.again", "swift.fail", "swift.stay", "swift.sum"]])
            let receipt = try await worker.startStaying()
            let active = try await CeleryTool.inspect("active", host: worker.host)[Self.node]?.arrayValue?.first?.objectValue
            #expect(active?["id"]?.stringValue == receipt.id.rawValue)
            #expect(active?["name"] == "swift.stay")
            let stats = try await CeleryTool.inspect("stats", host: worker.host)[Self.node]?.objectValue
            #expect(stats?["total"] == ["swift.stay": 1])
            let queues = try await CeleryTool.inspect("active_queues", host: worker.host)[Self.node]?.arrayValue
            #expect(queues?.compactMap { $0.objectValue?["name"] } == ["celery"])
        }
    }

    @Test func `the other questions of celery inspect are answered`() async throws {
        try await WatchedWorker.with { worker in
            let receipt = try await worker.startStaying()
            for (method, answer) in [("scheduled", []), ("reserved", []), ("revoked", [])] as [(String, JSONValue)] {
                #expect(try await CeleryTool.inspect(method, host: worker.host) == [Self.node: answer])
            }
            let query = try await CeleryTool.inspect("query_task", receipt.id.rawValue, host: worker.host)[Self.node]?.objectValue
            #expect(query?[receipt.id.rawValue]?.arrayValue?.first == "active")
            #expect(try await CeleryTool.inspect("conf", host: worker.host)[Self.node]?.objectValue?["worker_concurrency"] == 4)
            #expect(try await CeleryTool.inspect("clock", host: worker.host)[Self.node]?.objectValue?["clock"] != nil)
            let report = try await CeleryTool.run("inspect", "--timeout", "20", "--destination", Self.node, "report", host: worker.host)
            #expect(report.contains("scalekit"))
            let status = try await CeleryTool.run("status", host: worker.host)
            #expect(status.contains("\(Self.node): OK"))
        }
    }

    @Test func `celery control revoke keeps a job from running, and ends one that runs`() async throws {
        try await WatchedWorker.with { worker in
            let id = JobID()
            let answer = try await CeleryTool.run(
                "control", "--timeout", "20", "--destination", Self.node, "revoke", id.rawValue, host: worker.host)
            #expect(answer.contains("flagged as revoked"), "\(answer)")
            let revoked = try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2), options: EnqueueOptions(id: id))
            let failure = try await expectThrows(JobFailure.self) { _ = try await revoked.value(timeout: .seconds(30)) }
            #expect(failure.type == "TaskRevokedError")
            let running = try await worker.startStaying()
            let ended = try await CeleryTool.run(
                "control", "--timeout", "20", "--destination", Self.node, "terminate", "SIGTERM", running.id.rawValue, host: worker.host)
            #expect(ended.contains("terminate: \(running.id)"), "\(ended)")
            try await eventually("it is revoked") { try await running.state() == .revoked }
        }
    }

    @Test func `celery control shutdown ends the worker, and what runs is finished first`() async throws {
        try await WatchedWorker.with { worker in
            let receipt = try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2))
            #expect(try await receipt.value(timeout: .seconds(30)) == 3)
            _ = try await CeleryTool.run("control", "shutdown", host: worker.host)
            try await worker.running.value()
        }
    }

    @Test func `a Python worker starts beside a Swift one, learns what it knows to be revoked, and both answer`() async throws {
        try await WatchedWorker.with { worker in
            _ = try await CeleryTool.run(
                "control", "--timeout", "20", "--destination", Self.node, "revoke", "called-off", host: worker.host)
            let python = try CeleryTool.start(
                ["worker", "--pool=solo", "--loglevel=INFO", "--queues=python", "--hostname=python@tests"], host: worker.host)
            try await eventually(within: .seconds(60), "the Python worker is ready: \(python.output.suffix(2000))") {
                python.output.contains("python@tests ready")
            }
            #expect(!python.output.contains("Traceback"))
            #expect(python.output.contains("sync with 1 nodes"))
            #expect(
                try await CeleryTool.inspect("revoked", from: "python@tests", host: worker.host) == ["python@tests": ["called-off"]])
            // And the other way round: a Swift worker that starts when only the Python one is there.
            worker.running.cancel()
            try await worker.running.value()
            var configuration = Worker.Configuration()
            configuration.monitoring = .init(node: "second@tests")
            let second = Worker(worker.queue, configuration: configuration) { _ in }
            let running = PendingCall("the second worker") { try await second.run() }
            try await eventually(within: .seconds(60), "it knows what the other one knows") {
                let answer = try await CeleryTool.run(
                    "inspect", "--timeout", "5", "--destination", "second@tests", "revoked", host: worker.host)
                return answer.contains("called-off")
            }
            running.cancel()
            try await running.value()
            try await python.end(SIGKILL)
        }
    }
}
