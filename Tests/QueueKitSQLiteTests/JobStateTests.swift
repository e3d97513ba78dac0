#if SQLite
import GRDB
import QueueKit
import QueueKitSQLite
import ScaleCore
import ScaleTesting
import Testing

private struct Add: Job {
    static let name = "proj.add"
    typealias Output = Int
    var x: Int
}

/// What is told of a job whose state its message keeps, from its being enqueued to its end.
@Suite struct JobStateTests {
    private static func world() throws -> (queue: JobQueue, broker: SQLiteBroker, time: ManualTime, writer: DatabaseQueue) {
        let time = ManualTime()
        let writer = try DatabaseQueue()
        let database = try SQLiteQueueDatabase(writer, time: time.source)
        return (JobQueue(sqlite: database), SQLiteBroker(database), time, writer)
    }

    private static func request(startsJobs: Bool) -> ReceiveRequest {
        var request = ReceiveRequest(queues: ["celery"], limit: 10, lease: .seconds(60), owner: "me", waits: false)
        request.startsJobs = startsJobs
        return request
    }

    @Test func `a job is pending, started and done, and each is told when it is so`() async throws {
        let (queue, _, _, writer) = try Self.world()
        let receipts = Locked<[JobReceipt<Int>]>([])
        let seen = Locked<[JobStatus?]>([])
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, context in
                let status = try await receipts.withLock { $0[job.x] }.status()
                seen.withLock { $0.append(status) }
                if job.x == 0 {
                    let inner = try await queue.enqueue(Add(x: 1), options: .init(parent: context))
                    receipts.withLock { $0.append(inner) }
                }
                return job.x
            }
        }
        let outer = try await queue.enqueue(Add(x: 0))
        receipts.withLock { $0.append(outer) }
        #expect(try await outer.state() == .pending)
        try await worker.drain(limit: 1)
        let inner = receipts.withLock { $0[1] }
        let pending = try #require(try await inner.status())
        #expect(pending.state == .pending)
        #expect(pending.parentID == outer.id)
        try await worker.drain()
        #expect(seen.withLock { $0.map { $0?.state } } == [.started, .started])
        #expect(seen.withLock { $0.map { $0?.parentID } } == [nil, outer.id])
        #expect(try await inner.value(timeout: .zero) == 1)
        #expect(try await outer.state() == .success)
        let rows = try await writer.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM scalekit_queue_messages") }
        #expect(rows == 0)
    }

    @Test func `a retry is told until the job runs again, and then that it runs`() async throws {
        let (queue, _, time, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let seen = Locked<[JobStatus]>([])
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, context in
                if let status = try await receipt.status() { seen.withLock { $0.append(status) } }
                if context.retries == 0 { throw JobFailure("ValueError", "once") }
                return job.x
            }
        }
        try await worker.drain()
        #expect(try await receipt.state() == .retry)
        await time.advance(by: .seconds(3600))
        try await worker.drain()
        #expect(seen.withLock { $0.map(\.state) } == [.started, .started])
        #expect(seen.withLock { $0.map(\.retries) } == [0, 1])
        #expect(try await receipt.state() == .success)
    }

    @Test func `a failure is told until the job was put back and runs again`() async throws {
        let (queue, broker, _, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let runs = Locked<[JobState]>([])
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, _ in
                let state = try await receipt.state()
                guard
                    runs.withLock({
                        $0.append(state); return $0.count
                    }) > 1
                else {
                    throw JobFailure("ValueError", "boom", isPermanent: true)
                }
                return job.x
            }
        }
        try await worker.drain()
        #expect(try await receipt.state() == .failure)
        #expect(try await broker.redrive("celery", limit: 1) == 1)
        #expect(try await receipt.state() == .failure)
        try await worker.drain()
        #expect(runs.withLock { $0 } == [.started, .started])
        #expect(try await receipt.value(timeout: .zero) == 1)
    }

    @Test func `a job whose message goes elsewhere is pending as before`() async throws {
        let (queue, broker, _, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let delivery = try #require(try await broker.receive(Self.request(startsJobs: false)).first)
        #expect(!delivery.isKnownAsStarted)
        #expect(try await receipt.state() == .pending, "nobody has begun with it")
        try await broker.acknowledge(delivery.lease)
        #expect(try await receipt.status()?.state == .pending)
    }

    @Test func `a job whose message is purged is pending as before`() async throws {
        let (queue, broker, _, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        #expect(try await broker.purge("celery") == 1)
        #expect(try await receipt.status()?.state == .pending)
    }

    @Test func `a job that is put back until it is due is pending again`() async throws {
        let (queue, broker, time, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let delivery = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        #expect(delivery.isKnownAsStarted)
        #expect(try await receipt.state() == .started)
        try await broker.retry(delivery.lease, with: delivery.message, notBefore: time.source.utcNow().advanced(by: .seconds(60)))
        #expect(try await receipt.state() == .pending)
    }

    @Test func `a job that is given back is pending again`() async throws {
        let (queue, broker, _, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let delivery = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        try await broker.release(delivery.lease)
        #expect(try await receipt.state() == .pending)
    }

    @Test func `a job whose worker was lost is started until it ends`() async throws {
        let (queue, broker, time, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        _ = try await broker.receive(Self.request(startsJobs: true))
        await time.advance(by: .seconds(61))
        let again = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        #expect(again.losses == 1)
        #expect(again.isKnownAsStarted)
        #expect(try await receipt.state() == .started)
    }

    @Test func `a success and its acknowledgement are one step: with a lease that has ended neither is done`() async throws {
        let (queue, broker, time, _) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1))
        let delivery = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        var success = JobStatus(id: receipt.id, state: .success)
        success.result = 1
        await time.advance(by: .seconds(61))
        let error = await #expect(throws: QueueError.self) { try await broker.acknowledge(delivery.lease, recording: success) }
        #expect(error?.code == .staleLease)
        #expect(try await receipt.state() == .started)
        let again = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        try await broker.acknowledge(again.lease, recording: success)
        #expect(try await receipt.value(timeout: .zero) == 1)
        #expect(try await queue.counts() == QueueCounts())
    }

    @Test func `a success that was refused with its acknowledgement is nothing that this process knows either`() async throws {
        let time = ManualTime()
        let scratch = try Scratch()
        // In a file of its own, jobs that have ended are remembered.
        let database = try scratch.database(time: time.source)
        let (queue, broker) = (JobQueue(sqlite: database), SQLiteBroker(database))
        let receipt = try await queue.enqueue(Add(x: 1))
        let delivery = try #require(try await broker.receive(Self.request(startsJobs: true)).first)
        var success = JobStatus(id: receipt.id, state: .success)
        success.result = 1
        await time.advance(by: .seconds(61))
        await #expect(throws: QueueError.self) { try await broker.acknowledge(delivery.lease, recording: success) }
        #expect(try await queue.results.finalStatus(of: receipt.id, within: .zero) == nil)
        withExtendedLifetime(scratch) {}
    }

    @Test func `a success that cannot be recorded leaves its message, which comes back after a lease's time and counts as not lost`()
        async throws
    {
        let (queue, _, time, writer) = try Self.world()
        let losses = RecordedFacts<Int>()
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, context in
                losses.record(context.losses)
                return job.x
            }
        }
        let receipt = try await queue.enqueue(Add(x: 1))
        try await writer.write {
            try $0.execute(
                sql: "CREATE TRIGGER refusal BEFORE INSERT ON scalekit_queue_results BEGIN SELECT RAISE(ABORT, 'no'); END")
        }
        #expect(try await time.run { try await worker.drain() } == 1)
        #expect(try await queue.counts() == QueueCounts(delayed: 1))
        #expect(try await receipt.state() == .pending)
        try await writer.write { try $0.execute(sql: "DROP TRIGGER refusal") }
        // The time is rounded up to milliseconds.
        await time.advance(by: .seconds(61))
        #expect(try await worker.drain() == 1)
        #expect(losses.all == [0, 0])
        #expect(try await receipt.value(timeout: .zero) == 1)
    }

    @Test func `whoever waits for the chord of a job is told that this database counts no parts`() async throws {
        let (queue, broker, time, _) = try Self.world()
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        let (id, body) = (JobID(), JobID())
        var call = TaskMessage(task: Add.name, id: id)
        call.arguments = [1]
        call.group = "g"
        call.groupIndex = 0
        call.embed["chord"] = [
            "task": .string(Add.name), "args": [], "kwargs": [:], "options": ["task_id": .string(body.rawValue)], "subtask_type": nil,
            "immutable": false,
        ]
        try await broker.publish(call.message(at: time.source.utcNow()), to: "celery", notBefore: nil)
        #expect(try await worker.drain() == 1)
        #expect(try await queue.status(of: id)?.state == .success)
        #expect(try await queue.status(of: body)?.failure?.type == "NotImplementedError")
        #expect(try await queue.counts() == QueueCounts())
    }

    @Test func `results that are kept in another database are told there`() async throws {
        let time = ManualTime()
        let messages = try SQLiteQueueDatabase(try DatabaseQueue(), time: time.source)
        let results = SQLiteResultStore(try SQLiteQueueDatabase(try DatabaseQueue(), time: time.source))
        let queue = JobQueue(broker: SQLiteBroker(messages), results: results, time: time.source)
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        let receipt = try await queue.enqueue(Add(x: 1))
        #expect(try await receipt.status()?.state == .pending)
        #expect(try await worker.drain() == 1)
        #expect(try await receipt.value(timeout: .zero) == 1)
        #expect(try await queue.counts() == QueueCounts())
    }

    @Test func `a retry that waits for longer than results are kept is told until it runs`() async throws {
        let (queue, _, time, _) = try Self.world()
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, context in
                if context.retries == 0 { throw context.retry(after: .seconds(30 * 86_400), because: JobFailure("ValueError", "once")) }
                return job.x
            }
        }
        let receipt = try await queue.enqueue(Add(x: 1))
        try await worker.drain()
        await time.advance(by: .seconds(3 * 86_400))
        // By the way of this one old results are removed.
        try await queue.enqueue(Add(x: 2))
        #expect(try await receipt.status()?.failure?.message == "once")
    }

    @Test func `a job that has failed is started when it runs again, also by another message under its id`() async throws {
        let (queue, _, _, _) = try Self.world()
        var options = EnqueueOptions()
        options.id = JobID(rawValue: "twice")
        let seen = Locked<[JobState?]>([])
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, context in
                let state = try await queue.status(of: context.id)?.state
                seen.withLock { $0.append(state) }
                if job.x == 1 { throw JobFailure("ValueError", "boom", isPermanent: true) }
                return job.x
            }
        }
        let receipt = try await queue.enqueue(Add(x: 1), options: options)
        try await worker.drain()
        try await queue.enqueue(Add(x: 2), options: options)
        #expect(try await receipt.state() == .failure)
        try await worker.drain()
        #expect(seen.withLock { $0 } == [.started, .started])
        #expect(try await receipt.value(timeout: .zero) == 2)
    }

    @Test func `an id that is used again keeps what is known of it`() async throws {
        let (queue, _, _, _) = try Self.world()
        var options = EnqueueOptions()
        options.id = JobID(rawValue: "twice")
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        let receipt = try await queue.enqueue(Add(x: 1), options: options)
        try await worker.drain()
        try await queue.enqueue(Add(x: 2), options: options)
        #expect(try await receipt.state() == .success)
        #expect(try await worker.drain() == 1)
        #expect(try await receipt.value(timeout: .zero) == 1, "a success is never replaced")
    }

    @Test func `of a job that ignores its result nothing is known`() async throws {
        let (queue, _, _, writer) = try Self.world()
        let receipt = try await queue.enqueue(Add(x: 1), options: .init(ignoresResult: true))
        #expect(try await receipt.status() == nil)
        let inTransaction = try await writer.write { try queue.enqueue(Add(x: 1), in: $0, options: .init(ignoresResult: true)) }
        #expect(try await inTransaction.status() == nil)
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        #expect(try await worker.drain() == 2)
        #expect(try await receipt.status() == nil)
    }

    @Test func `a result that was recorded over another connection ends the wait`() async throws {
        let scratch = try Scratch()
        let here = JobQueue(sqlite: try scratch.database())
        let there = JobQueue(sqlite: try scratch.database())
        let worker = Worker(there, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x } }
        for number in 0..<3 {
            // Before the wait, and during it.
            let receipt = try await here.enqueue(Add(x: number))
            if number == 1 { try await worker.drain() }
            async let value = receipt.value(timeout: .seconds(60))
            if number != 1 { try await worker.drain() }
            #expect(try await value == number)
        }
        withExtendedLifetime(scratch) {}
    }
}
#endif
