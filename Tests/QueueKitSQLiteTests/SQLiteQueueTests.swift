#if SQLite
import Foundation
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
    var y: Int
}

private struct Rollback: Error {}

/// Manual time whose UTC is read at one moment and used at a later one: by the writer's own thread, which stands in between.
private final class SlowlyReadTime: TimeSource.Backend {
    let base = ManualTime()
    let standing = RecordedFacts<Int>()
    private let readingsLeft = Locked(0)
    private let goOn = DispatchSemaphore(value: 0)

    func stop(atReading reading: Int) { self.readingsLeft.withLock { $0 = reading } }
    func proceed() { self.goOn.signal() }

    func now() -> Instant { self.base.now() }
    func sleep(until deadline: Instant) async throws { try await self.base.sleep(until: deadline) }

    func utcNow() -> UTCTime {
        let utc = self.base.utcNow()
        let stops = self.readingsLeft.withLock { left in
            left -= 1
            return left == 0
        }
        if stops {
            self.standing.record(1)
            self.goOn.wait()
        }
        return utc
    }
}

@Suite struct SQLiteQueueTests {
    @Test func `jobs, delays, dead letters and results survive the process`() async throws {
        let scratch = try Scratch()
        let time = ManualTime()
        var ids: [JobID] = []
        do {
            let queue = JobQueue(sqlite: try scratch.database(time: time.source))
            ids.append(try await queue.enqueue(Add(x: 1, y: 2)).id)
            ids.append(try await queue.enqueue(Add(x: 3, y: 4), delay: .seconds(10)).id)
            let worker = Worker(queue, concurrency: 1) {
                $0.handle(Add.self) { _, _ in throw JobFailure("ValueError", "boom", isPermanent: true) }
            }
            try await worker.drain()
        }
        let queue = JobQueue(sqlite: try scratch.database(time: time.source))
        #expect(try await queue.counts() == QueueCounts(delayed: 1, dead: 1))
        #expect(try await queue.status(of: ids[0])?.failure?.type == "ValueError")
        #expect(try await queue.status(of: ids[1])?.state == .pending)
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        #expect(try await worker.drain() == 0)
        await time.advance(by: .seconds(10))
        #expect(try await worker.drain() == 1)
        #expect(try await queue.receipt(for: ids[1], of: Add.self).value(timeout: .zero) == 7)
        withExtendedLifetime(scratch) {}
    }

    @Test func `a job is enqueued with the caller's transaction, and not without it`() async throws {
        let scratch = try Scratch()
        let pool = try DatabasePool(path: scratch.path)
        try await pool.write { try $0.execute(sql: "CREATE TABLE profile (name TEXT)") }
        let queue = JobQueue(sqlite: try SQLiteQueueDatabase(pool))
        let receipt = try await pool.write { db in
            try db.execute(sql: "INSERT INTO profile VALUES ('ada')")
            return try queue.enqueue(Add(x: 1, y: 2), in: db)
        }
        #expect(try await queue.counts().ready == 1)
        #expect(try await receipt.status()?.state == .pending)
        let lost = Locked<JobID?>(nil)
        await #expect(throws: Rollback.self) {
            try await pool.write { db in
                let id = try queue.enqueue(Add(x: 1, y: 2), in: db).id
                lost.withLock { $0 = id }
                throw Rollback()
            }
        }
        #expect(try await queue.counts().ready == 1)
        let id = try #require(lost.withLock { $0 })
        #expect(try await queue.status(of: id) == nil)
    }

    @Test func `a worker is woken after the commit of the transaction`() async throws {
        let scratch = try Scratch()
        let time = ManualTime()
        let pool = try DatabasePool(path: scratch.path)
        // On time that stands still, no look at the file comes twice: only the commit itself can wake the worker.
        let queue = JobQueue(sqlite: try SQLiteQueueDatabase(pool, time: time.source))
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let running = Task { try await worker.run() }
        try await time.waitForSleepers(1)
        let receipt = try await pool.write { try queue.enqueue(Add(x: 1, y: 2), in: $0) }
        #expect(try await eventually { try await receipt.state() == .success ? true : nil })
        running.cancel()
        try await running.value
    }

    @Test func `outside of a transaction a job is enqueued in one of its own`() async throws {
        let scratch = try Scratch()
        let pool = try DatabasePool(path: scratch.path)
        let queue = JobQueue(sqlite: try SQLiteQueueDatabase(pool))
        let receipt = try await pool.writeWithoutTransaction { try queue.enqueue(Add(x: 1, y: 2), in: $0) }
        #expect(try await receipt.state() == .pending)
        #expect(try await queue.counts().ready == 1)
    }

    @Test func `a queue that is kept elsewhere refuses the transaction`() async throws {
        let database = try DatabaseQueue()
        let error = await #expect(throws: QueueError.self) {
            try await database.write { _ = try JobQueue().enqueue(Add(x: 1, y: 2), in: $0) }
        }
        #expect(error?.code == .unsupported)
    }

    @Test func `the tables live beside the service's own, in a database in memory too`() async throws {
        let database = try DatabaseQueue()
        let queue = JobQueue(sqlite: try SQLiteQueueDatabase(database))
        let receipt = try await queue.enqueue(Add(x: 1, y: 2))
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        #expect(try await worker.drain() == 1)
        #expect(try await receipt.value(timeout: .zero) == 3)
        let tables = try await database.read {
            try String.fetchAll($0, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        }
        #expect(tables.allSatisfy { $0.hasPrefix("scalekit_") })
    }

    @Test func `tables of a later version are left alone`() async throws {
        let database = try DatabaseQueue()
        _ = try SQLiteQueueDatabase(database)
        _ = try SQLiteQueueDatabase(database)
        try await database.write { try $0.execute(sql: "UPDATE scalekit_queue_schema SET version = 99") }
        let error = #expect(throws: QueueError.self) { try SQLiteQueueDatabase(database) }
        #expect(error?.code == .unsupported)
    }

    @Test func `a file of its own is kept in WAL, and written through`() async throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        let (mode, synchronous) = try await database.writer.writeWithoutTransaction {
            (try String.fetchOne($0, sql: "PRAGMA journal_mode"), try Int.fetchOne($0, sql: "PRAGMA synchronous"))
        }
        #expect(mode == "wal")
        #expect(synchronous == 2, "FULL")
    }

    @Test(arguments: ["/nowhere/jobs.sqlite", "/"])
    func `a path that cannot be opened is a typed error that names it`(_ path: String) {
        let error = #expect(throws: QueueError.self) { try SQLiteQueueDatabase(path: path) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(path) == true)
    }

    @Test func `a file that is no database is a typed error`() throws {
        let scratch = try Scratch()
        try Data(repeating: 0x41, count: 4096).write(to: URL(fileURLWithPath: scratch.path))
        let error = #expect(throws: QueueError.self) { try scratch.database() }
        #expect(error?.code == .unavailable)
    }

    @Test func `a damaged row is a dead letter and harms no other job`() async throws {
        let database = try DatabaseQueue()
        let queue = JobQueue(sqlite: try SQLiteQueueDatabase(database))
        try await queue.enqueue(Add(x: 1, y: 2))
        try await database.write {
            try $0.execute(
                sql: """
                    UPDATE scalekit_queue_messages SET headers = '{broken', properties = x'FF', body = 'text', losses = 'many',
                    priority = -9223372036854775808
                    """)
        }
        let receipt = try await queue.enqueue(Add(x: 3, y: 4))
        let worker = Worker(queue, concurrency: 1) { $0.handle(Add.self) { job, _ in job.x + job.y } }
        #expect(try await worker.drain() == 2)
        #expect(try await receipt.value(timeout: .zero) == 7)
        #expect(try await queue.counts() == QueueCounts(dead: 1))
    }

    @Test func `results and dead letters are removed when their time is over`() async throws {
        let time = ManualTime()
        let writer = try DatabaseQueue()
        let database = try SQLiteQueueDatabase(writer, time: time.source)
        let queue = JobQueue(sqlite: database)
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, _ in
                if job.x == 0 { throw JobFailure("ValueError", "boom", isPermanent: true) }
                return job.x
            }
        }
        let dead = try await queue.enqueue(Add(x: 0, y: 0))
        let waiting = try await queue.enqueue(Add(x: 9, y: 9), delay: .seconds(30 * 86_400))
        try await worker.drain()
        await time.advance(by: .seconds(86_400 - 1))
        try await queue.enqueue(Add(x: 1, y: 1))
        try await worker.drain()
        #expect(try await dead.status()?.state == .failure)
        await time.advance(by: .seconds(62))
        try await queue.enqueue(Add(x: 1, y: 1))
        #expect(try await dead.status() == nil)
        #expect(try await waiting.status()?.state == .pending, "a job that waits is not forgotten")
        #expect(try await queue.counts().dead == 1)
        await time.advance(by: .seconds(14 * 86_400))
        try await queue.enqueue(Add(x: 1, y: 1))
        #expect(try await queue.counts().dead == 0)
        #expect(try await waiting.status()?.state == .pending)
    }

    @Test func `who waits for a message has it with the transaction that brings it`() async throws {
        let time = ManualTime()
        let writer = try DatabaseQueue()
        let broker = SQLiteBroker(try SQLiteQueueDatabase(writer, time: time.source))
        let request = ReceiveRequest(queues: ["a"], limit: 2, lease: .seconds(60), owner: "me")
        let waiting = Task { try await broker.receive(request) }
        // The look at the version, which sleeps while somebody waits.
        try await time.waitForSleepers(1)
        try await broker.publish(Message(headers: [:], properties: .init(), body: []), to: "a", notBefore: nil)
        #expect(try await broker.counts(of: "a") == QueueCounts(leased: 1))
        #expect(try await waiting.value.map(\.lease.queue) == ["a"])
    }

    /// Two readings for each look; the second look is what the version of tables asks for that nobody has looked at before.
    @Test(arguments: 1...4) func `a message that becomes due while somebody looks for it is not waited for any longer`(
        _ reading: Int
    ) async throws {
        let time = SlowlyReadTime()
        let broker = SQLiteBroker(try SQLiteQueueDatabase(try DatabaseQueue(), time: TimeSource(time)))
        let due = time.base.utcNow().advanced(by: .seconds(10))
        try await broker.publish(Message(headers: [:], properties: .init(), body: []), to: "a", notBefore: due)
        time.stop(atReading: reading)
        defer { time.proceed() }
        let request = ReceiveRequest(queues: ["a"], limit: 1, lease: .seconds(60), owner: "me")
        let waiting = PendingCall("receive") { try await broker.receive(request) }
        _ = try await time.standing.waitForCount(1)
        await time.base.advance(by: .seconds(10))
        time.proceed()
        #expect(try await waiting.value().map(\.lease.queue) == ["a"])
    }

    @Test func `a message is published though it cannot be leased`() async throws {
        let writer = try DatabaseQueue()
        let time = ManualTime()
        let broker = SQLiteBroker(try SQLiteQueueDatabase(writer, time: time.source))
        try await writer.write {
            try $0.execute(
                sql: """
                    CREATE TRIGGER refusal BEFORE UPDATE OF token ON scalekit_queue_messages BEGIN SELECT RAISE(ABORT, 'no'); END
                    """)
        }
        let request = ReceiveRequest(queues: ["a"], limit: 2, lease: .seconds(60), owner: "me")
        let waiting = Task { try await broker.receive(request) }
        try await time.waitForSleepers(1)
        try await broker.publish(Message(headers: [:], properties: .init(), body: []), to: "a", notBefore: nil)
        #expect(try await broker.counts(of: "a") == QueueCounts(ready: 1))
        let error = await #expect(throws: QueueError.self) { try await waiting.value }
        #expect(error?.code == .unavailable)
    }

    @Test func `two connections to one file lease each message once`() async throws {
        let scratch = try Scratch()
        let brokers = [SQLiteBroker(try scratch.database()), SQLiteBroker(try scratch.database())]
        let queue = JobQueue(sqlite: try scratch.database())
        for number in 0..<60 { try await queue.enqueue(Add(x: number, y: 0)) }
        let numbers = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for broker in brokers {
                group.addTask {
                    var numbers: [Int64] = []
                    while true {
                        let deliveries = try await broker.receive(
                            .init(queues: ["celery"], limit: 2, lease: .seconds(60), owner: "o", waits: false))
                        if deliveries.isEmpty { return numbers }
                        for delivery in deliveries {
                            numbers.append(delivery.lease.message)
                            try await broker.acknowledge(delivery.lease)
                        }
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(numbers.count == 60)
        #expect(Set(numbers).count == 60)
        withExtendedLifetime(scratch) {}
    }
}
#endif
