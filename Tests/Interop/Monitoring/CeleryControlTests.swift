import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleTesting
import TestServers
import Testing

/// `celery inspect` and `celery control` of the real Celery, asking a Swift worker.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct CeleryControlTests {
    private static let node = WatchedWorker.node

    @Test func `celery inspect lists the worker, what it runs, what it can run and where from`() async throws {
        try await WatchedWorker.with { worker in
            let ping = try await CeleryTool.run("inspect", "--timeout", "20", "--destination", Self.node, "ping", host: worker.host)
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
            // It asks all workers, and does not know when they have answered: it waits a second, which may be too short.
            try await eventually(within: .seconds(90), "celery status shows the worker") {
                try await CeleryTool.run("status", host: worker.host).contains("\(Self.node): OK")
            }
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

    private static func control(_ worker: WatchedWorker, _ arguments: String...) async throws -> String {
        let process = try CeleryTool.start(["control", "--timeout", "20", "--destination", Self.node] + arguments, host: worker.host)
        try await eventually(within: .seconds(90), "celery control \(arguments) ends") { !process.isRunning }
        return process.output
    }

    private static func size(_ worker: WatchedWorker) async throws -> JSONValue? {
        try await CeleryTool.inspect("stats", host: worker.host)[Self.node]?.objectValue?["pool"]?.objectValue?["max-concurrency"]
    }

    private static func queues(_ worker: WatchedWorker) async throws -> [JSONValue?]? {
        try await CeleryTool.inspect("active_queues", host: worker.host)[Self.node]?.arrayValue?.map { $0.objectValue?["name"] }
    }

    @Test func `celery control pool_grow and pool_shrink change how many jobs run at once, and end none`() async throws {
        try await WatchedWorker.with { worker in
            var staying: [JobReceipt<NoOutput>] = []
            for _ in 0..<4 { staying.append(try await worker.startStaying()) }
            let next = try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2))
            let grown = try await Self.control(worker, "pool_grow", "2")
            #expect(grown.contains("pool will grow"), "\(grown)")
            #expect(try await next.value(timeout: .seconds(30)) == 3)
            #expect(try await Self.size(worker) == 6)
            let shrunk = try await Self.control(worker, "pool_shrink", "5")
            #expect(shrunk.contains("pool will shrink"), "\(shrunk)")
            #expect(try await Self.size(worker) == 1)
            let refused = try await Self.control(worker, "pool_shrink", "1")
            #expect(refused.contains("Can't shrink pool"), "\(refused)")
            for receipt in staying { #expect(try await receipt.state() == .started) }
        }
    }

    @Test func `celery control rate_limit holds back one task's jobs, and lets them go`() async throws {
        try await WatchedWorker.with { worker in
            let set = try await Self.control(worker, "rate_limit", "swift.sum", "1/h")
            #expect(set.contains("new rate limit set successfully"), "\(set)")
            #expect(try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2)).value(timeout: .seconds(30)) == 3)
            var held: [JobReceipt<Int>] = []
            for number in 0..<5 { held.append(try await worker.queue.enqueue(WatchedWorker.Sum(x: number, y: 1))) }
            // More than there are slots, and yet there is one for another task.
            let other = try await worker.queue.enqueue(WatchedWorker.Fail())
            try await eventually("another task's job has run") { try await other.state() == .failure }
            let reserved = try await CeleryTool.inspect("reserved", host: worker.host)[Self.node]?.arrayValue
            #expect(Set(reserved?.compactMap { $0.objectValue?["id"]?.stringValue } ?? []) == Set(held.map(\.id.rawValue)))
            #expect(try await CeleryTool.inspect("registered", host: worker.host)[Self.node]?.arrayValue?.count == 4)
            let unknown = try await Self.control(worker, "rate_limit", "swift.none", "1/h")
            #expect(unknown.contains("unknown task"), "\(unknown)")
            let bad = try await Self.control(worker, "rate_limit", "swift.sum", "often")
            #expect(bad.contains("Invalid rate limit string"), "\(bad)")
            for receipt in held { #expect(try await receipt.state() == .pending) }
            let lifted = try await Self.control(worker, "rate_limit", "swift.sum", "0")
            #expect(lifted.contains("new rate limit set successfully"), "\(lifted)")
            for (number, receipt) in held.enumerated() { #expect(try await receipt.value(timeout: .seconds(30)) == number + 1) }
        }
    }

    @Test func `celery control time_limit holds for jobs that begin afterwards`() async throws {
        try await WatchedWorker.with { worker in
            let before = try await worker.startStaying()
            let set = try await Self.control(worker, "time_limit", "swift.stay", "0.2", "60")
            #expect(set.contains("time limits set successfully"), "\(set)")
            let after = try await worker.queue.enqueue(WatchedWorker.Stay())
            let failure = try await expectThrows(JobFailure.self) { _ = try await after.value(timeout: .seconds(30)) }
            #expect(failure.type == "SoftTimeLimitExceeded")
            #expect(try await before.state() == .started)
        }
    }

    @Test func `celery control add_consumer and cancel_consumer change from where jobs come`() async throws {
        try await WatchedWorker.with { worker in
            let mails = EnqueueOptions(queue: "mails")
            let early = try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2), options: mails)
            let added = try await Self.control(worker, "add_consumer", "mails")
            #expect(added.contains("add consumer mails"), "\(added)")
            #expect(try await early.value(timeout: .seconds(30)) == 3)
            #expect(try await Self.queues(worker) == ["celery", "mails"])
            let cancelled = try await Self.control(worker, "cancel_consumer", "mails")
            #expect(cancelled.contains("no longer consuming from mails"), "\(cancelled)")
            #expect(try await Self.queues(worker) == ["celery"])
            let last = try await Self.control(worker, "cancel_consumer", "celery")
            #expect(last.contains("no longer consuming from celery"), "\(last)")
            #expect(try await Self.queues(worker) == [])
            let waiting = try await worker.queue.enqueue(WatchedWorker.Sum(x: 2, y: 3))
            _ = try await Self.control(worker, "add_consumer", "celery")
            #expect(try await waiting.value(timeout: .seconds(30)) == 5)
        }
    }

    @Test func `a queue that is declared otherwise is not added, and disturbs neither jobs that run nor those that come`() async throws {
        try await WatchedWorker.with { worker in
            var configuration = RabbitMQBroker.Configuration()
            configuration.maximumPriority = 9
            let other = try RabbitMQBroker(worker.host.url, configuration: configuration)
            _ = try await other.counts(of: "odd")
            let staying = try await worker.startStaying()
            _ = try await Self.control(worker, "add_consumer", "odd")
            #expect(try await worker.queue.enqueue(WatchedWorker.Sum(x: 1, y: 2)).value(timeout: .seconds(30)) == 3)
            #expect(try await Self.queues(worker) == ["celery"])
            #expect(try await staying.state() == .started)
            let status = try await CeleryTool.inspect("active", host: worker.host)[Self.node]?.arrayValue?.first?.objectValue
            #expect(status?["id"]?.stringValue == staying.id.rawValue)
            #expect(status?["delivery_info"]?.objectValue?["redelivered"] == false)
            await other.shutdown()
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
            try await eventually(within: .seconds(90), "the Python worker is ready: \(python.output.suffix(2000))") {
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
            try await eventually(within: .seconds(90), "it knows what the other one knows") {
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
