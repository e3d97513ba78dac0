import Foundation
import QueueKit
import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

/// The task of the tests: in Python `def send_email_notification(user_id, template="welcome")`.
struct SendEmailNotification: Job {
    static let name = "myapp.tasks.send_email_notification"
    static let defaults = JobDefaults(retry: JobRetryPolicy(maximumRetries: 2, baseDelay: .zero))
    typealias Output = String
    var userID: Int
    var template = "welcome"

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case template
    }

    init(userID: Int) { self.userID = userID }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.userID = try container.decode(Int.self, forKey: .userID)
        self.template = try container.decodeIfPresent(String.self, forKey: .template) ?? "welcome"
    }

    static let handler: @Sendable (inout JobHandlers) -> Void = {
        $0.handle(SendEmailNotification.self) { job, _ in "\(job.template) to \(job.userID)" }
    }
}

/// Celery calls, and a Swift worker answers.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct PythonToSwiftTests {
    private static let task = SendEmailNotification.name

    /// Swift runs one more job, which shows that the worker is alive.
    private static func expectService(_ client: CeleryClient) async throws {
        let id = try await client.send(Self.task, args: [1])
        #expect(try await client.get(id) == "welcome to 1")
    }

    @Test func `arguments come by keyword, by position and mixed, with the payload's defaults`() async throws {
        try await InteropGround.withWorker(SendEmailNotification.handler) { _, client in
            let calls: [([JSONValue], JSONObject, JSONValue)] = [
                ([], ["user_id": 7, "template": "goodbye"], "goodbye to 7"), ([], ["user_id": 7], "welcome to 7"),
                ([7, "goodbye"], [:], "goodbye to 7"), ([7], [:], "welcome to 7"), ([7], ["template": "é😀"], "é😀 to 7"),
                ([7, nil], [:], "welcome to 7"),
            ]
            for (args, kwargs, expected) in calls {
                let id = try await client.send(Self.task, args: args, kwargs: kwargs)
                #expect(try await client.get(id) == expected)
            }
            // As an application does it that knows the task.
            let answer = try await client.ask(["do": "delay", "task": .string(Self.task), "kwargs": ["user_id": 9]])
            let id = try #require(answer.stringValue.flatMap(JobID.init(rawValue:)))
            #expect(try await client.get(id) == "welcome to 9")
        }
    }

    @Test func `arguments that the client has compressed arrive`() async throws {
        try await InteropGround.withWorker(SendEmailNotification.handler) { _, client in
            for (compression, length) in [("zlib", 1), ("gzip", 10_000), ("zlib", 300_000)] {
                let letters = Array("abcdé")
                let template = String((0..<length).map { letters[$0 * $0 % letters.count] })
                let id = try await client.send(
                    Self.task, args: [7], kwargs: ["template": .string(template)], options: ["compression": .string(compression)])
                #expect(try await client.get(id) == .string("\(template) to 7"))
            }
            let id = try await client.send(Self.task, args: [7], options: ["compression": "bzip2"])
            let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(id) }
            #expect(raised.type == "Reject")
        }
    }

    @Test func `a chain and what is linked to its calls go on from the Swift worker, and end where one fails`() async throws {
        let sent = RecordedFacts<Int>()
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { job, _ in
                sent.record(job.userID)
                if job.userID == 13 { throw JobFailure("ValueError", "no luck", isPermanent: true) }
                return "\(job.template) to \(job.userID)"
            }
            $0.handle(Failed.self) { job, _ in sent.record(job.id.utf8.count) }
        }) { _, client in
            func call(_ id: Int64, _ more: JSONObject = [:]) -> JSONValue {
                var step: JSONObject = ["task": .string(Self.task), "args": [.integer(id)], "immutable": true]
                for (key, value) in more { step[key] = value }
                return .object(step)
            }
            func chain(_ steps: [JSONValue]) async throws -> [JobID] {
                let ids = try await client.ask(["do": "chained", "steps": .array(steps)]).arrayValue
                return try #require(ids?.compactMap { $0.stringValue.flatMap(JobID.init(rawValue:)) })
            }
            let ids = try await chain([call(1), call(2, ["link": call(20)]), call(3)])
            #expect(ids.count == 3)
            for (index, id) in ids.enumerated() { #expect(try await client.get(id) == .string("welcome to \(index + 1)")) }
            try await eventually("the linked one ran") { sent.all.contains(20) }
            #expect(sent.all.filter { $0 < 20 } == [1, 2, 3])

            let failed = try await chain([
                call(4), call(13, ["link_error": ["task": .string(Failed.name)]]), call(5), call(6),
            ])
            #expect(try await client.get(failed[0]) == "welcome to 4")
            for id in failed[1...] {
                let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(id) }
                #expect(raised.type == "ValueError" && raised.arguments == ["no luck"])
            }
            try await eventually("the errback got the id") { sent.all.contains(failed[1].rawValue.utf8.count) }
            #expect(!sent.all.contains(5) && !sent.all.contains(6))
        }
    }

    private struct Failed: Job {
        static let name = "myapp.tasks.failed"
        var id: String
    }

    @Test func `wrong arguments are a TypeError in Python, and the worker serves on`() async throws {
        try await InteropGround.withWorker(SendEmailNotification.handler) { ground, client in
            let calls: [([JSONValue], JSONObject)] = [
                ([], [:]), ([1, "t", 3], [:]), ([1], ["user_id": 1]), ([1], ["colour": "red"]), (["seven"], [:]), ([[1]], [:]),
                ([1.5], [:]), ([nil], [:]),
            ]
            for (args, kwargs) in calls {
                let id = try await client.send(Self.task, args: args, kwargs: kwargs)
                let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(id) }
                #expect(raised.type == "TypeError" && raised.module == "builtins", "\(args) \(kwargs): \(raised)")
                try await Self.expectService(client)
            }
            try await eventually("they are dead letters") { try await ground.broker.counts(of: "celery").dead == calls.count }
        }
    }

    @Test func `an unknown task is NotRegistered in Python, and the worker serves on`() async throws {
        try await InteropGround.withWorker(SendEmailNotification.handler) { _, client in
            let id = try await client.send("myapp.tasks.unknown")
            let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(id) }
            #expect(raised.type == "NotRegistered" && raised.module == "celery.exceptions")
            #expect(raised.arguments == ["myapp.tasks.unknown"])
            try await Self.expectService(client)
        }
    }

    private struct OutOfPaper: Error {
        var secret = "hunter2"
    }

    @Test func `a failure is raised in Python with its type and message, another error by its type alone`() async throws {
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { job, _ in
                if job.userID == 1 { throw JobFailure("ValueError", "no such user: 1 😀", isPermanent: true) }
                throw OutOfPaper()
            }
        }) { _, client in
            let first = try await client.send(Self.task, args: [1])
            let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(first) }
            #expect(raised.type == "ValueError" && raised.module == "builtins" && raised.arguments == ["no such user: 1 😀"])
            let second = try await client.send(Self.task, args: [2])
            let other = try await expectThrows(CeleryClient.Raised.self) { try await client.get(second) }
            #expect(other.type == "OutOfPaper")
            #expect(!"\(other)".contains("hunter2"))
            #expect(try await client.state(first)["state"] == "FAILURE")
        }
    }

    @Test func `a job that waits for its retry is RETRY in Python, with the reason`() async throws {
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { _, context in
                throw context.retry(after: .seconds(3600), because: JobFailure("KeyError", "again"))
            }
        }) { _, client in
            let id = try await client.send(Self.task, args: [1])
            try await eventually("it is RETRY") { try await client.state(id)["state"] == "RETRY" }
            let state = try await client.state(id)
            #expect(state["ready"] == false)
            #expect(state["retries"] == 1)
            #expect(state["info"]?.objectValue?["type"] == "KeyError")
            #expect(state["info"]?.objectValue?["args"] == ["again"])
        }
    }

    @Test func `retries keep the id, are counted, and end with the last failure`() async throws {
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { job, context in
                guard job.userID == 1, context.retries == 2 else { throw JobFailure("ValueError", "try \(context.retries)") }
                return "\(context.id) after \(context.retries)"
            }
        }) { _, client in
            let id = try await client.send(Self.task, args: [1])
            #expect(try await client.get(id) == .string("\(id) after 2"))
            let hopeless = try await client.send(Self.task, args: [2])
            let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(hopeless) }
            #expect(raised.type == "ValueError" && raised.arguments == ["try 2"])
        }
    }

    @Test func `a job that runs is STARTED in Python`() async throws {
        let gate = Gate("the handler")
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { _, _ in
                try await gate.pass(within: .seconds(120))
                return "done"
            }
        }) { _, client in
            let id = try await client.send(Self.task, args: [1])
            try await gate.waitForArrivals(1)
            #expect(try await client.state(id)["state"] == "STARTED")
            gate.open()
            #expect(try await client.get(id) == "done")
        }
    }

    @Test func `what has expired when it comes is revoked, and is not run`() async throws {
        let ran = RecordedFacts<Int>()
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { job, _ in
                ran.record(job.userID)
                return "done"
            }
        }) { _, client in
            // Once it runs: what has expired reaches only a consumer that waits for it.
            _ = try await client.get(try await client.send(Self.task, args: [1]))
            let id = try await client.send(Self.task, args: [2], options: ["expires": "2024-01-01T00:00:00+00:00"])
            let raised = try await expectThrows(CeleryClient.Raised.self) { try await client.get(id) }
            #expect(raised.type == "TaskRevokedError" && raised.arguments == ["expired"])
            #expect(try await client.state(id)["state"] == "REVOKED")
            _ = try await client.get(try await client.send(Self.task, args: [3], options: ["expires": 60]))
            #expect(ran.all == [1, 3])
        }
    }

    @Test func `a countdown is kept, by the server and not in the worker's memory`() async throws {
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { _, _ in "\(Date().timeIntervalSince1970)" }
        }) { ground, client in
            let sent = Date().timeIntervalSince1970
            let id = try await client.send(Self.task, args: [1], options: ["countdown": 2])
            let ran = try #require(Double(try await client.get(id).stringValue ?? ""))
            #expect(ran >= sent + 2)
            let far = try await client.send(Self.task, args: [1], options: ["countdown": 3600])
            try await eventually("the server keeps it") {
                try await ground.host.queue("celery_delayed_11")["messages"] as? Int == 1
            }
            #expect(try await client.state(far)["state"] == "PENDING")
            // The first one is acknowledged after its result is there.
            try await eventually("nothing is with the worker") { try await ground.broker.counts(of: "celery") == QueueCounts() }
        }
    }

    @Test func `a result that nobody wants leaves no key`() async throws {
        let ran = RecordedFacts<JobID>()
        try await InteropGround.withWorker({
            $0.handle(SendEmailNotification.self) { _, context in
                ran.record(context.id)
                return "done"
            }
        }) { ground, client in
            let id = try await client.send(Self.task, args: [1], options: ["ignore_result": true])
            _ = try await ran.first { $0 == id }
            try await eventually("it is acknowledged") { try await ground.broker.counts(of: "celery") == QueueCounts() }
            #expect(try await ground.redis.get("celery-task-meta-\(id)") == nil)
        }
    }
}
