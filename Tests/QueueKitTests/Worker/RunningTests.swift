import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@Suite struct RunningTests {
    @Test func `a job is known as soon as enqueue returned, and its receipt yields the result`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let receipt = try await jobs.queue.enqueue(Add(x: 2, y: 3))
        #expect(try await jobs.queue.status(of: receipt.id)?.state == .pending)
        #expect(try await jobs.drain() == 1)
        #expect(try await receipt.value(timeout: .zero) == 5)
        #expect(try await receipt.state() == .success)
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a handler sees the job's circumstances`() async throws {
        let seen = RecordedFacts<JobContext>()
        let jobs = RecordingQueue { $0.handle(Send.self) { _, context in seen.record(context) } }
        let id = try #require(JobID(rawValue: "my-id"))
        try await jobs.queue.enqueue(Send(userID: 7), options: .init(id: id, headers: ["tenant": "a", "retries": 9]))
        try await jobs.drain()
        let context = try await seen.first { _ in true }
        #expect(context.id == id && context.task == "proj.send" && context.queue == "celery")
        #expect(context.retries == 0 && context.losses == 0 && context.rootID == id && context.parentID == nil)
        #expect(context.headers == ["tenant": "a"])
    }

    @Test func `the job on whose behalf another one is enqueued is its parent`() async throws {
        let queue = Locked<JobQueue?>(nil)
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, context in
                try await queue.withLock { $0 }?.enqueue(Add(x: 1, y: 1), options: .init(parent: context))
            }
        }
        queue.withLock { $0 = jobs.queue }
        let parent = try await jobs.queue.enqueue(Send(userID: 1))
        try await jobs.drain()
        let child = try jobs.expectEnqueued(Add.self)
        #expect(child.message.parentID == parent.id && child.message.rootID == parent.id)
    }

    @Test func `a delayed job waits in the broker until its time`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in } }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7), delay: .seconds(10))
        #expect(try await jobs.drain() == 0)
        #expect(try await jobs.broker.counts(of: "celery").delayed == 1)
        #expect(try await jobs.advance(by: .milliseconds(9_999)) == 0)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(try await receipt.state() == .success)
    }

    @Test func `a message that comes before its eta goes back to the broker until then, as it was`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, context in #expect(context.retries == 2) } }
        var call = TaskMessage(task: Send.name, id: JobID())
        call.keywordArguments = ["user_id": 7]
        call.retries = 2
        call.eta = jobs.time.utcNow().advanced(by: .seconds(10))
        try await jobs.broker.publish(call.message(at: jobs.time.utcNow()), to: "celery", notBefore: nil)
        try await jobs.drain()
        #expect(try await jobs.queue.status(of: call.id) == nil)
        #expect(try await jobs.broker.counts(of: "celery").delayed == 1)
        #expect(try await jobs.advance(by: .milliseconds(9_999)) == 0)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(try await jobs.queue.status(of: call.id)?.state == .success)
    }

    @Test func `a job whose result nobody asks for leaves no status`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let receipt = try await jobs.queue.enqueue(Add(x: 2, y: 3), options: .init(ignoresResult: true))
        #expect(try await receipt.status() == nil)
        #expect(try await jobs.drain() == 1)
        #expect(try await receipt.status() == nil)
    }

    @Test func `a job that is not begun before it expires is revoked, one that is begun in time is not`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in } }
        let late = try await jobs.queue.enqueue(Send(userID: 1), delay: .seconds(10), options: .init(expiresIn: .seconds(10)))
        let inTime = try await jobs.queue.enqueue(Send(userID: 2), delay: .seconds(10), options: .init(expiresIn: .milliseconds(10_001)))
        try await jobs.advance(by: .seconds(10))
        #expect(try await late.state() == .revoked)
        #expect(try await inTime.state() == .success)
        let failure = await #expect(throws: JobFailure.self) { try await late.value(timeout: .zero) }
        #expect(failure?.type == "TaskRevokedError" && failure?.message == "expired")
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts(), "a revoked job is acknowledged")
    }

    @Test func `the larger priority runs first`() async throws {
        let order = RecordedFacts<Int>()
        let jobs = RecordingQueue { $0.handle(Send.self) { job, _ in order.record(job.userID) } }
        for (user, priority) in [(1, 0), (2, 9), (3, 4)] {
            try await jobs.queue.enqueue(Send(userID: user), options: .init(priority: priority))
        }
        try await jobs.drain()
        #expect(order.all == [2, 3, 1])
    }

    @Test func `Python's positional call runs the same handler`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x - job.y } }
        var call = TaskMessage(task: Add.name, id: JobID())
        call.arguments = [5]
        call.keywordArguments = ["y": 3]
        try await jobs.broker.publish(call.message(at: jobs.time.utcNow()), to: "celery", notBefore: nil)
        try await jobs.drain()
        #expect(try await jobs.queue.receipt(for: call.id, of: Add.self).value(timeout: .zero) == 2)
    }

    @Test func `a caller that ignores the result leaves no trace in the store`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x } }
        var call = TaskMessage(task: Add.name, id: JobID())
        call.arguments = [5, 6]
        call.ignoresResult = true
        try await jobs.broker.publish(call.message(at: jobs.time.utcNow()), to: "celery", notBefore: nil)
        #expect(try await jobs.drain() == 1)
        #expect(try await jobs.queue.status(of: call.id) == nil)
    }

    @Test func `a result that is not what its type says is a typed error`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in } }
        let id = try await jobs.queue.enqueue(Send(userID: 1)).id
        try await jobs.drain()
        let error = await #expect(throws: QueueError.self) {
            try await jobs.queue.receipt(for: id, of: Add.self).value(timeout: .zero)
        }
        #expect(error?.code == .undecodableResult)
    }

    @Test func `a result that does not come in time is a typed error, and the job goes on`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x } }
        let receipt = try await jobs.queue.enqueue(Add(x: 1, y: 1))
        let error = await #expect(throws: QueueError.self) { try await receipt.value(timeout: .zero) }
        #expect(error?.code == .timeout)
        try await jobs.drain()
        #expect(try await receipt.value(timeout: .zero) == 1)
    }
}

@Suite struct EnqueueTests {
    @Test func `a job that cannot be published is not known afterwards`() async throws {
        let jobs = RecordingQueue()
        jobs.broker.faults.failNext(.publish, with: QueueError(code: .unavailable, message: "down"))
        let id = try #require(JobID(rawValue: "mine"))
        await #expect(throws: QueueError.self) { try await jobs.queue.enqueue(Send(userID: 1), options: .init(id: id)) }
        #expect(try await jobs.queue.status(of: id) == nil)
        try jobs.expectNotEnqueued(Send.self)
    }

    @Test(arguments: [(0, true), (255, true), (256, false), (-1, false)])
    func `a priority is 0 to 255`(_ priority: Int, _ isValid: Bool) async throws {
        let jobs = RecordingQueue()
        let code = await Self.code { try await jobs.queue.enqueue(Send(userID: 1), options: .init(priority: priority)) }
        #expect(code == (isValid ? nil : .invalidJob))
    }

    @Test(
        arguments: [
            ("q", nil), ("a b~", nil), ("é", nil), ("", .invalidQueueName), ("a\u{0}b", .invalidQueueName), ("a\u{1F}", .invalidQueueName),
            ("a\u{7F}", .invalidQueueName), ("é\u{85}", .invalidQueueName),
        ] as [(String, QueueError.Code?)])
    func `a queue's name is checked at the door`(_ name: String, _ expected: QueueError.Code?) async throws {
        let jobs = RecordingQueue()
        #expect(await Self.code { try await jobs.queue.enqueue(Send(userID: 1), options: .init(queue: name)) } == expected)
    }

    @Test func `a body of the greatest size is published, one byte more is refused with size and limit`() async throws {
        var configuration = JobQueue.Configuration()
        let size = try TaskMessage.bodySize(of: Send(userID: 7))
        configuration.maximumBodyBytes = size
        try await RecordingQueue(configuration: configuration).queue.enqueue(Send(userID: 7))
        configuration.maximumBodyBytes = size - 1
        let small = RecordingQueue(configuration: configuration)
        let error = await #expect(throws: QueueError.self) { try await small.queue.enqueue(Send(userID: 7)) }
        #expect(error?.code == .messageTooLarge)
        #expect(error?.message == "the body has \(size) bytes, the limit is \(size - 1)")
    }

    @Test func `a payload that cannot be encoded is refused without being shown`() async throws {
        struct Broken: Job {
            static let name = "broken"
            func encode(to encoder: any Encoder) throws { throw Boom() }
        }
        let error = await #expect(throws: QueueError.self) { try await RecordingQueue().queue.enqueue(Broken()) }
        #expect(error?.code == .invalidJob)
        #expect(error.map { "\($0)".contains("hunter2") } == false)
    }

    @Test func `jobs go to the queue of the call, of the type, or the default one`() async throws {
        struct Elsewhere: Job {
            static let name = "elsewhere"
            static let defaults = JobDefaults(queue: "type", priority: 3)
        }
        let jobs = RecordingQueue()
        try await jobs.queue.enqueue(Send(userID: 1))
        try await jobs.queue.enqueue(Elsewhere())
        try await jobs.queue.enqueue(Elsewhere(), options: .init(queue: "call"))
        try jobs.expectEnqueued(Send.self, count: 1, queue: "celery")
        #expect(try jobs.expectEnqueued(Elsewhere.self, count: 1, queue: "type").message.priority == 3)
        try jobs.expectEnqueued(Elsewhere.self, count: 1, queue: "call")
    }

    private static func code(_ body: () async throws -> Void) async -> QueueError.Code? {
        do { try await body() } catch { return (error as? QueueError)?.code }
        return nil
    }
}

extension TaskMessage {
    fileprivate static func bodySize(of job: Send) throws -> Int {
        var call = TaskMessage(task: Send.name, id: JobID())
        call.keywordArguments = ["user_id": .integer(Int64(job.userID))]
        return call.message(at: UTCTime(millisecondsSinceEpoch: 0)).body.count
    }
}
