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
            let all = try await flower.get("/api/workers?refresh=1").json
            return all[Self.node]?.objectValue.flatMap { $0["registered"] == nil ? nil : $0 }
        }
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
