import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// What shall follow a job, and RabbitMQ will never take: the job has run once, and whoever waits for what follows is told.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"), .timeLimit(.minutes(15)))
struct RefusedFollowerTests {
    private struct Note: Job {
        static let name = "note"
        typealias Output = Int
        var number: Int
    }

    private static func signature(_ id: JobID, _ options: JSONObject) -> JSONValue {
        var options = options
        options["task_id"] = .string(id.rawValue)
        return [
            "task": .string(Note.name), "args": [7], "kwargs": [:], "options": .object(options), "subtask_type": nil, "immutable": true,
        ]
    }

    @Test func `a call into a queue that somebody declared otherwise is lost at once, and the job before it is not run again`() async throws
    {
        try await RabbitMQVirtualHost.with { host in
            var configuration = RabbitMQBroker.Configuration.patient
            configuration.queueKind = .quorum
            let quorum = try RabbitMQBroker(host.url, configuration: configuration)
            _ = try await quorum.counts(of: "otherwise")
            await quorum.shutdown()

            let broker = try RabbitMQBroker(host.url, configuration: .patient)
            let queue = JobQueue(broker: broker, results: MemoryResultStore())
            let runs = RecordedFacts<Int>()
            let worker = Worker(queue, concurrency: 1) {
                $0.handle(Note.self) { job, _ in
                    runs.record(job.number)
                    return job.number
                }
            }
            let running = PendingCall("the worker's run") { try await worker.run() }
            let (lost, late, long) = (JobID(), JobID(), JobID())
            var call = TaskMessage(task: Note.name, id: JobID())
            call.arguments = [1]
            call.embed["callbacks"] = [
                Self.signature(lost, ["queue": "otherwise"]),
                // An end that RabbitMQ could not count up to.
                Self.signature(late, ["expires": "2300-01-01T00:00:00+00:00"]),
                Self.signature(long, ["queue": .string(String(repeating: "q", count: 256))]),
            ]
            try await broker.publish(call.message(at: TimeSource.system.utcNow()), to: "celery", notBefore: nil)
            try await eventually(within: .seconds(90), "the job has succeeded, and what followed it has ended") {
                let states = [
                    try await queue.status(of: call.id)?.state, try await queue.status(of: lost)?.state,
                    try await queue.status(of: late)?.state, try await queue.status(of: long)?.state,
                ]
                return states == [.success, .failure, .success, .failure]
            }
            // A result is recorded before its job's message is acknowledged.
            try await eventually(within: .seconds(90), "both messages are settled") {
                try await broker.counts(of: "celery") == QueueCounts()
            }
            #expect(runs.all == [1, 7])
            running.cancel()
            try await running.value()
            await broker.shutdown()
        }
    }
}
