#if SQLite
import GRDB
import QueueKit
@testable import QueueKitSQLite
import ScaleCore
import ScaleTesting
import Testing

private struct Add: Job {
    static let name = "proj.add"
    typealias Output = Int
    var x: Int
}

@Suite struct SchemaTests {
    /// The tables as the first version made them, with one job that waits, as that version enqueued it.
    private static let firstVersion = """
        CREATE TABLE scalekit_queue_schema (version INTEGER NOT NULL);
        INSERT INTO scalekit_queue_schema VALUES (1);
        CREATE TABLE scalekit_queue_messages (
            number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT, queue TEXT NOT NULL, condition INTEGER NOT NULL,
            priority INTEGER NOT NULL, ready_at INTEGER NOT NULL, token INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0, owner TEXT, lease_until INTEGER, headers TEXT NOT NULL, properties TEXT NOT NULL,
            body BLOB NOT NULL, dead_at INTEGER, dead_reason TEXT
        );
        CREATE INDEX scalekit_queue_ready ON scalekit_queue_messages (queue, priority DESC, ready_at, number) WHERE condition = 0;
        CREATE INDEX scalekit_queue_leased ON scalekit_queue_messages (lease_until) WHERE condition = 1;
        CREATE INDEX scalekit_queue_dead ON scalekit_queue_messages (queue, dead_at, number) WHERE condition = 2;
        CREATE INDEX scalekit_queue_delayed ON scalekit_queue_messages (ready_at) WHERE condition = 3;
        CREATE INDEX scalekit_queue_job ON scalekit_queue_messages (job) WHERE job IS NOT NULL;
        CREATE TABLE scalekit_queue_results (
            job TEXT PRIMARY KEY, state TEXT NOT NULL, is_final INTEGER NOT NULL, status TEXT NOT NULL, changed_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX scalekit_queue_results_age ON scalekit_queue_results (is_final, changed_at);
        INSERT INTO scalekit_queue_messages (job, queue, condition, priority, ready_at, headers, properties, body) VALUES (
            'old', 'celery', 0, 0, 0, '{"task":"proj.add","id":"old"}', '{"content_type":"application/json","delivery_mode":2,"priority":0}',
            CAST('[[7],{},{}]' AS BLOB));
        INSERT INTO scalekit_queue_results VALUES (
            'old', 'PENDING', 0, '{"status":"PENDING","result":null,"traceback":null,"children":[],"date_done":null,"task_id":"old"}', 0);
        """

    @Test func `a file of the first version is taken over with its jobs`() async throws {
        let scratch = try Scratch()
        do {
            let file = try DatabaseQueue(path: scratch.path)
            try await file.write { try $0.execute(sql: Self.firstVersion) }
            try file.close()
        }
        let queue = JobQueue(sqlite: try scratch.database())
        let old = queue.receipt(for: try #require(JobID(rawValue: "old")), of: Add.self)
        #expect(try await old.status()?.state == .pending)
        let new = try await queue.enqueue(Add(x: 8))
        let states = Locked<[JobState]>([])
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, _ in
                let state = try await (job.x == 7 ? old : new).state()
                states.withLock { $0.append(state) }
                return job.x
            }
        }
        #expect(try await worker.drain() == 2)
        #expect(states.withLock { $0 } == [.started, .started])
        #expect(try await old.value(timeout: .zero) == 7)
        #expect(try await new.value(timeout: .zero) == 8)
        // And once more: it is taken over once.
        let again = JobQueue(sqlite: try scratch.database())
        #expect(try await again.counts() == QueueCounts())
        withExtendedLifetime(scratch) {}
    }
}

/// A write of a test: inserts a row, and fails after that if it is to.
private final class Probe: PendingWrite, @unchecked Sendable {
    let durability = SQLiteQueueDatabase.Durability.power
    let bringsMessages = true
    private let number: Int
    private let fails: Bool
    private(set) var hasFailed = false
    private(set) var ended: [Bool] = []

    init(_ number: Int, fails: Bool = false) {
        self.number = number
        self.fails = fails
    }

    func perform(_ db: Database, undoesItself: Bool) {
        do {
            if undoesItself {
                try db.inSavepoint {
                    try self.insert(db)
                    return .commit
                }
            } else {
                try self.insert(db)
            }
        } catch {
            self.hasFailed = true
        }
    }

    private func insert(_ db: Database) throws {
        try db.execute(sql: "INSERT INTO probe VALUES (?)", arguments: [self.number])
        if self.fails { throw DatabaseError(message: "as asked") }
    }

    func end(_ error: (any Error)?) { self.ended.append(error == nil) }
}

@Suite struct SharedTransactionTests {
    private static func numbers(after writes: [Probe]) async throws -> [Int] {
        let writer = try DatabaseQueue()
        let database = try SQLiteQueueDatabase(writer)
        return try await writer.writeWithoutTransaction { db in
            try db.execute(sql: "CREATE TABLE probe (number INTEGER)")
            database.commit(writes, db)
            return try Int.fetchAll(db, sql: "SELECT number FROM probe ORDER BY number")
        }
    }

    @Test func `of writes that share a transaction one that fails undoes itself and nothing of the others`() async throws {
        let writes = [Probe(1), Probe(2, fails: true), Probe(3)]
        #expect(try await Self.numbers(after: writes) == [1, 3])
        #expect(writes.map(\.ended) == [[true], [true], [true]], "each is ended once, and the failed one has its own error")
    }

    @Test func `a write that fails alone leaves nothing behind`() async throws {
        let writes = [Probe(1, fails: true)]
        #expect(try await Self.numbers(after: writes) == [])
        #expect(writes[0].ended == [true])
    }
}
#endif
