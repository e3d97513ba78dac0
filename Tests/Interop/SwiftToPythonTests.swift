import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

private struct Add: Job {
    static let name = "python.add"
    static let defaults = JobDefaults(queue: "python")
    typealias Output = Int
    var x: Int
    var y: Int
}

private struct Echo: Job {
    static let name = "python.echo"
    static let defaults = JobDefaults(queue: "python")
    var text: String
    var large: UInt64
    var small: Int64
    var pi: Double
    var whole: Double
    var nothing: String?
    var nested: [String: [[Bool]]]

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.text, forKey: .text)
        try container.encode(self.large, forKey: .large)
        try container.encode(self.small, forKey: .small)
        try container.encode(self.pi, forKey: .pi)
        try container.encode(self.whole, forKey: .whole)
        // As null, which synthesized encoding leaves out.
        try container.encode(self.nothing, forKey: .nothing)
        try container.encode(self.nested, forKey: .nested)
    }
}

private struct Inspect: Job {
    static let name = "python.inspect"
    static let defaults = JobDefaults(queue: "python", softTimeLimit: .seconds(20), hardTimeLimit: .seconds(30))
}

private struct Fail: Job {
    static let name = "python.fail"
    static let defaults = JobDefaults(queue: "python")
    var message: String
}

private struct Again: Job {
    static let name = "python.again"
    static let defaults = JobDefaults(queue: "python")
    typealias Output = Int
}

private struct Unknown: Job {
    static let name = "python.unknown"
    static let defaults = JobDefaults(queue: "python")
}

/// Swift calls, and a Celery worker answers.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct SwiftToPythonTests {
    private static func result(_ ground: InteropGround, _ id: JobID) async throws -> JobStatus {
        try require(try await ground.queue.results.finalStatus(of: id, within: .seconds(60)), "a result")
    }

    @Test func `Python computes for Swift: values, text, numbers, null and nested lists as they are`() async throws {
        try await InteropGround.withPythonWorker(before: { ground in
            let sum = try await ground.queue.enqueue(Add(x: 2, y: 3))
            #expect(try await sum.state() == .pending)
            return sum
        }) { ground, sum in
            #expect(try await sum.value(timeout: .seconds(60)) == 5)
            let echo = Echo(
                text: "grüße 😀 \"\\\n\u{0}", large: .max, small: .min, pi: 3.141592653589793, whole: 2, nothing: nil,
                nested: ["a": [[true], []]])
            let receipt = try await ground.queue.enqueue(echo)
            let status = try await Self.result(ground, receipt.id)
            #expect(status.state == .success)
            #expect(status.result.objectValue?["args"] == [])
            let kwargs = status.result.objectValue?["kwargs"]?.objectValue
            #expect(kwargs?["text"]?.stringValue == echo.text)
            #expect(kwargs?["large"] == .bigInteger("18446744073709551615"))
            #expect(kwargs?["small"] == .integer(.min))
            #expect(kwargs?["pi"] == .double(3.141592653589793))
            #expect(kwargs?["whole"]?.doubleValue == 2)
            #expect(kwargs?["nothing"] == .null)
            #expect(kwargs?["nested"] == ["a": [[true], []]])
        }
    }

    @Test func `Python sees headers, limits, priority and eta, and a delayed call comes when it is due`() async throws {
        try await InteropGround.withPythonWorker { ground in
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let sent = Date()
            let receipt = try await ground.queue.enqueue(
                Inspect(), delay: .seconds(1), options: .init(priority: 5, headers: ["traceparent": .string(trace), "tenant": "é"]))
            let seen = try await Self.result(ground, receipt.id)
            #expect(seen.state == .success)
            let done = try #require(seen.finishedAt)
            #expect(Double(done.nanosecondsSinceEpoch) / 1e9 >= sent.timeIntervalSince1970 + 1)
            let request = try #require(seen.result.objectValue)
            #expect(request["id"] == .string(receipt.id.rawValue))
            #expect(request["root_id"] == .string(receipt.id.rawValue))
            #expect(request["parent_id"] == .null)
            #expect(request["retries"] == 0)
            #expect(request["priority"] == 5)
            #expect(request["timelimit"] == [30, 20])
            #expect(request["headers"]?.objectValue?["traceparent"] == .string(trace))
            #expect(request["headers"]?.objectValue?["tenant"] == "é")
            #expect(request["eta"]?.stringValue != nil)
        }
    }

    @Test func `a Python failure is a JobFailure with type, module and message`() async throws {
        try await InteropGround.withPythonWorker { ground in
            let receipt = try await ground.queue.enqueue(Fail(message: "boom 😀"))
            let failure = try await expectThrows(JobFailure.self) { try await receipt.value(timeout: .seconds(60)) }
            #expect(failure.type == "ValueError" && failure.module == "builtins" && failure.message == "boom 😀")
            #expect(try await receipt.status()?.traceback?.contains("ValueError") == true)
            let unknown = try await ground.queue.enqueue(Unknown())
            let refusal = try await expectThrows(JobFailure.self) { try await unknown.value(timeout: .seconds(60)) }
            #expect(refusal.type == "NotRegistered")
        }
    }

    @Test func `a Python task that tries again ends under the same id`() async throws {
        try await InteropGround.withPythonWorker { ground in
            let receipt = try await ground.queue.enqueue(Again())
            #expect(try await receipt.value(timeout: .seconds(60)) == 1)
        }
    }

    @Test func `a result that nobody wants leaves no key`() async throws {
        try await InteropGround.withPythonWorker { ground in
            let ignored = try await ground.queue.enqueue(Add(x: 2, y: 3), options: .init(ignoresResult: true))
            // In the queue behind it, for a worker that does one thing at a time.
            #expect(try await ground.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(60)) == 2)
            #expect(try await ground.redis.get("celery-task-meta-\(ignored.id)") == nil)
        }
    }

    @Test func `a queue that an application has declared otherwise is an error to the caller, and nothing is left of the job`() async throws
    {
        try await InteropGround.with { ground in
            let client = try CeleryClient(ground.host)
            _ = try await client.ask(["do": "declare", "queue": "python", "arguments": ["x-max-priority": 10]])
            let id = JobID()
            let error = try await expectThrows(QueueError.self) {
                try await ground.queue.enqueue(Add(x: 1, y: 1), options: .init(id: id))
            }
            #expect(error.code == .accessRefused && error.message.contains("406"))
            #expect(try await ground.queue.status(of: id) == nil)
            try await client.end()
        }
    }

    @Test func `a message that the server refuses or no queue takes is an error to the caller`() async throws {
        try await InteropGround.with { ground in
            let client = try CeleryClient(ground.host)
            _ = try await client.ask([
                "do": "declare", "queue": "full", "arguments": ["x-max-length": 0, "x-overflow": "reject-publish"],
            ])
            let error = try await expectThrows(QueueError.self) {
                try await ground.queue.enqueue(Add(x: 1, y: 1), options: .init(queue: "full"))
            }
            #expect(error.code == .accessRefused)
            try await client.end()
        }
    }
}
