import QueueKit
import ScaleTesting
import TestServers
import Testing

/// An unmodified Flower, watching a Swift worker.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct FlowerTests {
    private static let node = WatchedWorker.node

    private static func waitForWorker(_ flower: Flower, isOnline: Bool = true) async throws {
        try await eventually("Flower shows the worker \(isOnline ? "online" : "offline")") {
            try await flower.get("/api/workers?status=1").json[Self.node] == .bool(isOnline)
        }
    }

    /// What Flower knows when it has asked the worker.
    private static func details(_ flower: Flower) async throws -> JSONObject {
        try await eventually("Flower has asked the worker") {
            let all = try await flower.get("/api/workers?refresh=1&workername=\(Self.node)").json
            return all[Self.node]?.objectValue.flatMap { $0["registered"] == nil ? nil : $0 }
        }
    }

    private static func size(_ flower: Flower) async throws -> JSONValue? {
        try await Self.details(flower)["stats"]?.objectValue?["pool"]?.objectValue?["max-concurrency"]
    }

    private static func waitForState(_ state: String, of id: JobID, _ flower: Flower) async throws -> JSONObject {
        try await eventually("Flower shows the task as \(state)") {
            let task = try await flower.get("/api/task/info/\(id)").json
            return task["state"]?.stringValue == state ? task : nil
        }
    }

    @Test func `Flower lists the worker and its tasks with their states, and all its pages are there`() async throws {
        try await WatchedWorker.with { worker in
            try await Flower.with(worker.host) { flower in
                try await Self.waitForWorker(flower)
                let good = try await worker.queue.enqueue(WatchedWorker.Sum(x: 20, y: 22))
                let bad = try await worker.queue.enqueue(WatchedWorker.Fail())
                let again = try await worker.queue.enqueue(WatchedWorker.Again())
                let stays = try await worker.startStaying()
                let succeeded = try await Self.waitForState("SUCCESS", of: good.id, flower)
                #expect(succeeded["name"] == "swift.sum")
                #expect(succeeded["result"] == "42")
                #expect(succeeded["worker"]?.stringValue == Self.node)
                #expect(succeeded["runtime"]?.doubleValue != nil)
                #expect(try await Self.waitForState("FAILURE", of: bad.id, flower)["exception"] == "ValueError('no such user')")
                _ = try await Self.waitForState("SUCCESS", of: again.id, flower)
                _ = try await Self.waitForState("STARTED", of: stays.id, flower)
                let tasks = try await flower.get("/api/tasks").json
                #expect(Set(tasks.keys) == [good.id.rawValue, bad.id.rawValue, again.id.rawValue, stays.id.rawValue])

                let details = try await Self.details(flower)
                #expect(details["registered"]?.arrayValue?.count == 4)
                #expect(details["active_queues"]?.arrayValue?.count == 1)
                #expect(details["stats"]?.objectValue?["pool"]?.objectValue?["max-concurrency"] == 4)
                for page in [
                    "/", "/workers", "/worker/\(Self.node)", "/tasks", "/task/\(good.id)", "/task/\(bad.id)", "/broker", "/metrics",
                ] {
                    let answer = try await flower.get(page)
                    #expect(answer.status == 200, "\(page)")
                }
                #expect(try await flower.get("/worker/\(Self.node)").body.contains("swift.sum"))
                #expect(try await flower.get("/task/\(good.id)").body.contains("swift.sum"))
            }
        }
    }

    @Test func `Flower's buttons change the pool, the queues and a task's limits`() async throws {
        try await WatchedWorker.with { worker in
            try await Flower.with(worker.host) { flower in
                try await Self.waitForWorker(flower)
                _ = try await Self.details(flower)
                let node = Self.node
                #expect(
                    try await flower.post("/api/worker/pool/grow/\(node)?n=2").json["message"]?.stringValue
                        == "Growing '\(node)' worker's pool by 2")
                try await eventually("Flower shows the size") { try await Self.size(flower) == 6 }
                #expect(try await flower.post("/api/worker/pool/shrink/\(node)?n=3").status == 200)
                try await eventually("Flower shows the size") { try await Self.size(flower) == 3 }
                let shrunk = try await flower.post("/api/worker/pool/shrink/\(node)?n=3")
                #expect(shrunk.status == 403)
                #expect(shrunk.body.contains("Can't shrink pool"), "\(shrunk.body)")
                let scaled = try await flower.post("/api/worker/pool/autoscale/\(node)?min=1&max=9")
                #expect(scaled.status == 403)
                #expect(scaled.body.contains("Autoscale not enabled"), "\(scaled.body)")

                #expect(
                    try await flower.post("/api/worker/queue/add-consumer/\(node)?queue=mails").json["message"]?.stringValue
                        == "add consumer mails")
                let mail = try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2), options: EnqueueOptions(queue: "mails"))
                #expect(try await mail.value(timeout: .seconds(30)) == 3)
                try await eventually("Flower shows the queue") { try await Self.details(flower)["active_queues"]?.arrayValue?.count == 2 }
                #expect(
                    try await flower.post("/api/worker/queue/cancel-consumer/\(node)?queue=mails").json["message"]?.stringValue
                        == "no longer consuming from mails")
                try await eventually("Flower shows the queue") { try await Self.details(flower)["active_queues"]?.arrayValue?.count == 1 }

                let limited = try await flower.post("/api/task/rate-limit/swift.sum?ratelimit=1/h&workername=\(node)")
                #expect(limited.json["message"]?.stringValue == "new rate limit set successfully", "\(limited.body)")
                let bad = try await flower.post("/api/task/rate-limit/swift.sum?ratelimit=often&workername=\(node)")
                #expect(bad.status == 403)
                #expect(bad.body.contains("Invalid rate limit string"), "\(bad.body)")
                let timed = try await flower.post("/api/task/timeout/swift.sum?soft=30&hard=60&workername=\(node)")
                #expect(timed.json["message"]?.stringValue == "time limits set successfully", "\(timed.body)")
            }
        }
    }

    @Test func `Flower's buttons end a task and the worker, which is offline then`() async throws {
        try await WatchedWorker.with { worker in
            try await Flower.with(worker.host) { flower in
                try await Self.waitForWorker(flower)
                let stays = try await worker.startStaying()
                _ = try await Self.waitForState("STARTED", of: stays.id, flower)
                #expect(try await flower.post("/api/task/revoke/\(stays.id)?terminate=true").status == 200)
                _ = try await Self.waitForState("REVOKED", of: stays.id, flower)
                // Flower commands those alone that it has asked.
                _ = try await Self.details(flower)
                #expect(try await flower.post("/api/worker/shutdown/\(Self.node)").status == 200)
                try await worker.running.value()
                try await Self.waitForWorker(flower, isOnline: false)
                #expect(try await flower.get("/worker/\(Self.node)").status == 200)
            }
        }
    }
}
