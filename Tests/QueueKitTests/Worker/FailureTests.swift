import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@Suite struct FailureTests {
    @Test func `a failed job is tried again under the same id, with a count and a wait`() async throws {
        let runs = RecordedFacts<Int>()
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, context in
                runs.record(context.retries)
                if context.retries < 2 { throw Boom() }
            }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        #expect(try await jobs.drain() == 1)
        let status = try #require(try await receipt.status())
        #expect(status.state == .retry && status.retries == 1 && status.failure?.type == "Boom")
        #expect(try await jobs.advance(by: .milliseconds(999)) == 0)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(try await jobs.advance(by: .milliseconds(1_999)) == 0)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(runs.all == [0, 1, 2])
        #expect(try await receipt.state() == .success)
        #expect(try await receipt.status()?.retries == 2)
        let retried = try jobs.broker.facts.all.compactMap { fact -> TaskMessage? in
            if case .retried(_, let message, _) = fact { return try TaskMessage(message) }
            return nil
        }
        #expect(retried.map(\.retries) == [1, 2])
        #expect(Set(retried.map(\.id)) == [receipt.id])
        #expect(retried.allSatisfy { $0.parentID == receipt.id && $0.eta != nil })
    }

    @Test func `a job without retries left has failed, and is a dead letter`() async throws {
        let runs = Tally()
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, _ in
                runs.increment(); throw Boom()
            }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        try await jobs.advance(by: .seconds(3600))
        #expect(runs.count == 4, "one run and three retries")
        let status = try #require(try await receipt.status())
        #expect(status.state == .failure && status.retries == 3 && status.finishedAt != nil)
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts(dead: 1))
        let letter = try #require(try await jobs.broker.deadLetters(of: "celery", limit: 1).first)
        #expect(letter.reason == "failed with Boom")
        let failure = await #expect(throws: JobFailure.self) { try await receipt.value(timeout: .zero) }
        #expect(failure?.type == "Boom" && failure?.module == "swift.QueueKitTests")
    }

    @Test func `an error's contents never reach the result`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in throw Boom() } }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        try await jobs.advance(by: .seconds(60))
        let text = try #require(try await receipt.status()).json().jsonText()
        #expect(text.contains(#""exc_type":"Boom""#))
        #expect(!text.contains("hunter2"))
    }

    @Test func `a JobFailure is reported as it is`() async throws {
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, _ in throw JobFailure("ValueError", "boom", isPermanent: true) }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        #expect(try await jobs.advance(by: .seconds(60)) == 1, "a permanent failure is not retried")
        let result = try await receipt.status()?.resultJSON
        #expect(result == ["exc_type": "ValueError", "exc_message": ["boom"], "exc_module": "builtins"])
    }

    @Test func `a handler chooses its own wait`() async throws {
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, context in
                if context.retries == 0 { throw context.retry(after: .seconds(30)) }
            }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        #expect(try await jobs.advance(by: .milliseconds(29_999)) == 1)
        #expect(try await receipt.state() == .retry)
        #expect(try await jobs.advance(by: .milliseconds(1)) == 1)
        #expect(try await receipt.state() == .success)
    }

    @Test func `a handler that asks for ever fails with MaxRetriesExceededError`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, context in throw context.retry(after: .zero) } }
        let receipt = try await jobs.queue.enqueue(Send(userID: 7))
        #expect(try await jobs.advance(by: .seconds(60)) == 4)
        #expect(try await receipt.status()?.failure?.type == "MaxRetriesExceededError")
    }

    @Test func `a dead letter that is put back runs again`() async throws {
        let isBroken = Locked(true)
        let jobs = RecordingQueue {
            $0.handle(Add.self) { job, _ in
                if isBroken.withLock({ $0 }) { throw JobFailure("ValueError", "boom", isPermanent: true) }
                return job.x
            }
        }
        let receipt = try await jobs.queue.enqueue(Add(x: 1, y: 1))
        try await jobs.drain()
        #expect(try await receipt.state() == .failure)
        isBroken.withLock { $0 = false }
        #expect(try await jobs.broker.redrive("celery", limit: 10) == 1)
        try await jobs.drain()
        #expect(try await receipt.value(timeout: .zero) == 1)
    }

    @Test func `a retry does not carry RabbitMQ's death notes along`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in throw Boom() } }
        var call = TaskMessage(task: Send.name, id: JobID())
        call.arguments = [1]
        var message = call.message(at: jobs.time.utcNow())
        for name in ["x-death", "x-first-death-queue", "x-last-death-reason", "x-kept"] { message.headers[name] = "noted" }
        try await jobs.broker.publish(message, to: "celery", notBefore: nil)
        try await jobs.drain()
        let retried = try #require(
            jobs.broker.facts.all.compactMap { fact in if case .retried(_, let message, _) = fact { message } else { nil } }.first)
        #expect(retried.headers.keys.filter { $0.hasPrefix("x-") } == ["x-kept"])
        #expect(retried.body == message.body)
    }
}

/// A result store that fails for outcomes, as long as it is told to.
private final class FailingResults: ResultStore {
    let base = MemoryResultStore()
    let failure: Locked<(any Error)?>

    init(_ failure: any Error) {
        self.failure = Locked(failure)
    }

    func record(_ status: JobStatus) async throws -> Bool {
        if status.state.isFinal, let failure = self.failure.withLock({ $0 }) { throw failure }
        return try await self.base.record(status)
    }
    func status(of id: JobID) async throws -> JobStatus? { try await self.base.status(of: id) }
    func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        try await self.base.finalStatus(of: id, within: timeout)
    }
    func withdraw(_ id: JobID) async throws { try await self.base.withdraw(id) }
}

@Suite struct UnrecordedOutcomeTests {
    private static func world(_ failure: any Error, _ runs: Tally) -> (ManualTime, FakeBroker, JobQueue, Worker, FailingResults) {
        let time = ManualTime()
        let broker = FakeBroker(time: time.source)
        let results = FailingResults(failure)
        let queue = JobQueue(broker: broker, results: results, time: time.source)
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, _ in
                runs.increment()
                return job.x
            }
        }
        return (time, broker, queue, worker, results)
    }

    /// What a store may throw that takes the same state later, also what is none of ours.
    private static let passing: [any Error] =
        [QueueError.Code.unavailable, .timeout, .closed, .staleLease, .undecodableResult].map { QueueError(code: $0, message: "no") }
        + [CancellationError(), Boom()]

    private static let refusing = [QueueError.Code.unsupported, .messageTooLarge, .invalidJob]

    @Test(arguments: Self.passing)
    func `a job whose outcome cannot be recorded comes back, and is not lost`(_ failure: any Error) async throws {
        let runs = Tally()
        let (time, broker, queue, worker, results) = Self.world(failure, runs)
        let receipt = try await queue.enqueue(Add(x: 1, y: 1))
        #expect(try await time.run { try await worker.drain() } == 1)
        #expect(try await broker.counts(of: "celery") == QueueCounts(delayed: 1))
        results.failure.withLock { $0 = nil }
        await time.advance(by: .seconds(60))
        #expect(try await worker.drain() == 1)
        #expect(runs.count == 2)
        #expect(try await receipt.state() == .success)
        #expect(try await broker.counts(of: "celery") == QueueCounts())
    }

    @Test(arguments: Self.refusing)
    func `a job whose outcome the store will never take is dead, and does not come back for ever`(_ code: QueueError.Code) async throws {
        let runs = Tally()
        let (_, broker, queue, worker, _) = Self.world(QueueError(code: code, message: "no"), runs)
        try await queue.enqueue(Add(x: 1, y: 1))
        #expect(try await worker.drain() == 1)
        #expect(runs.count == 1)
        #expect(try await broker.counts(of: "celery") == QueueCounts(dead: 1))
    }

    @Test(arguments: Self.passing)
    func `a malformed message whose failure cannot be recorded comes back until it can`(_ failure: any Error) async throws {
        let runs = Tally()
        let (time, broker, queue, worker, results) = Self.world(failure, runs)
        let receipt = try await queue.enqueue(Add(x: 1, y: 1))
        let delivery = try #require(
            try await broker.receive(ReceiveRequest(queues: ["celery"], limit: 1, lease: .seconds(60), owner: "vandal", waits: false)).first
        )
        var broken = delivery.message
        broken.body = Array("[[1,2".utf8)
        try await broker.retry(delivery.lease, with: broken, notBefore: nil)
        #expect(try await time.run { try await worker.drain() } == 1)
        #expect(try await broker.counts(of: "celery") == QueueCounts(delayed: 1))
        #expect(try await receipt.state() == .pending)
        results.failure.withLock { $0 = nil }
        await time.advance(by: .seconds(60))
        #expect(try await worker.drain() == 1)
        #expect(runs.count == 0)
        #expect(try await receipt.state() == .failure)
        #expect(try await broker.counts(of: "celery") == QueueCounts(dead: 1))
    }

    @Test(arguments: Self.refusing)
    func `a malformed message whose failure the store will never take is dead`(_ code: QueueError.Code) async throws {
        let (_, broker, _, worker, _) = Self.world(QueueError(code: code, message: "no"), Tally())
        var message = TaskMessage(task: Add.name, id: JobID()).message(at: UTCTime(millisecondsSinceEpoch: 0))
        message.body = []
        try await broker.publish(message, to: "celery", notBefore: nil)
        #expect(try await worker.drain() == 1)
        #expect(try await broker.counts(of: "celery") == QueueCounts(dead: 1))
    }

    /// What a store throws in a cancelled task says nothing about the store.
    @Test func `a job whose outcome was not recorded since its worker was cancelled is given back at once`() async throws {
        let runs = Tally()
        let (_, broker, queue, worker, results) = Self.world(CancellationError(), runs)
        let receipt = try await queue.enqueue(Add(x: 1, y: 1))
        let draining = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await worker.drain(limit: 1)
        }
        #expect(try await draining.value == 1)
        #expect(try await broker.counts(of: "celery") == QueueCounts(ready: 1))
        results.failure.withLock { $0 = nil }
        #expect(try await worker.drain() == 1)
        #expect(try await receipt.state() == .success)
        #expect(runs.count == 2)
    }
}

@Suite struct PoisonTests {
    /// Made once: one of them has ten megabytes.
    private static let poison: [(String, Message)] = {
        var good = TaskMessage(task: Add.name, id: JobID())
        good.arguments = [1, 2]
        let message = good.message(at: UTCTime(millisecondsSinceEpoch: 0))
        func with(_ change: (inout Message) -> Void) -> Message {
            var copy = message
            change(&copy)
            return copy
        }
        func body(_ text: String) -> Message { with { $0.body = Array(text.utf8) } }
        return [
            ("a body of two elements", body("[[1,2],{}]")), ("no content type", with { $0.properties.contentType = nil }),
            ("another content type", with { $0.properties.contentType = "application/x-python-serialize" }),
            ("invalid JSON", body("[[1,2")),
            ("no UTF-8", with { $0.body = [0xFF, 0xFE] }), ("an empty body", body("")), ("base64", body("W1sxLCAyXSwge30sIG51bGxd")),
            ("deep nesting", body(String(repeating: "[", count: 200_000))),
            ("ten megabytes", body("[[\"" + String(repeating: "x", count: 10_000_000) + "\"],{},{}]")),
            ("no headers", with { $0.headers = [:] }), ("an id of a wrong kind", with { $0.headers["id"] = 7 }),
            ("a bad eta", with { $0.headers["eta"] = "soon" }),
            ("an unknown task", with { $0.headers["task"] = "nobody.knows" }), ("too few arguments", body("[[1],{},{}]")),
            ("too many arguments", body("[[1,2,3],{},{}]")), ("an unknown keyword", body(#"[[1],{"z":2},{}]"#)),
            ("a wrong type", body(#"[["a","b"],{},{}]"#)),
        ]
    }()

    @Test func `no message kills the worker, and none comes back`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        for (_, message) in Self.poison { try await jobs.broker.publish(message, to: "celery", notBefore: nil) }
        let receipt = try await jobs.queue.enqueue(Add(x: 2, y: 3))
        #expect(try await jobs.drain(limit: 1000) == Self.poison.count + 1)
        #expect(try await receipt.value(timeout: .zero) == 5)
        #expect(try await jobs.advance(by: .seconds(3600)) == 0)
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts(dead: Self.poison.count))
    }

    @Test(arguments: Self.poison.map(\.0))
    func `a poisonous message whose id is known has failed`(_ name: String) async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let message = try #require(Self.poison.first { $0.0 == name }?.1)
        try await jobs.broker.publish(message, to: "celery", notBefore: nil)
        try await jobs.drain()
        guard let id = message.headers["id"]?.stringValue.flatMap(JobID.init(rawValue:)) else { return }
        let status = try #require(try await jobs.queue.status(of: id))
        #expect(status.state == .failure)
        let expected =
            name == "an unknown task"
            ? "NotRegistered" : name.contains("argument") || name.contains("keyword") || name == "a wrong type" ? "TypeError" : "Reject"
        #expect(status.failure?.type == expected)
    }
}
