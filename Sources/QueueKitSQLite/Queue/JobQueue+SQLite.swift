#if SQLite
public import GRDB
public import Logging
public import QueueKit
internal import ScaleCore

extension JobQueue {
    /// A durable queue with messages and results in one SQLite database.
    public init(
        sqlite database: SQLiteQueueDatabase, configuration: JobQueue.Configuration = .init(), logger: Logger = Logger(label: "QueueKit")
    ) {
        self.init(
            broker: SQLiteBroker(database), results: SQLiteResultStore(database, isBesideMessages: true), configuration: configuration,
            time: database.time, logger: logger)
    }

    /// Enqueues a job within the caller's own transaction: it is enqueued if, and only if, that commits.
    ///
    /// ```swift
    /// try await database.write { db in
    ///     try profile.update(db)
    ///     try queue.enqueue(SendEmailNotification(userID: profile.id), in: db)
    /// }
    /// ```
    ///
    /// Workers of this process are woken after the commit. Outside of a transaction the job is enqueued in one of its own.
    ///
    /// - Parameters:
    ///   - db: a connection of the database that the queue keeps its jobs in.
    ///   - delay: how long from now until a worker may have it.
    ///   - options: what shall be different for this one call.
    /// - Throws: ``QueueError`` as ``enqueue(_:delay:options:)`` does, and `.unsupported` when the queue is not kept in SQLite;
    ///   GRDB's `DatabaseError`, which a caller's transaction should be rolled back for.
    @discardableResult
    public func enqueue<J: Job>(
        _ job: J, in db: Database, delay: Duration? = nil, options: EnqueueOptions = .init()
    ) throws -> JobReceipt<J.Output> {
        guard let broker = self.broker as? SQLiteBroker, let results = self.results as? SQLiteResultStore,
            results.database === broker.database
        else {
            throw QueueError(code: .unsupported, message: "the queue does not keep jobs and results in one SQLite database")
        }
        let prepared = try self.prepare(job, delay: delay, options: options)
        let database = broker.database
        if db.isInsideTransaction {
            let isPending = try self.insert(prepared, database, db)
            db.afterNextTransaction { self.wasCommitted(prepared, isPending: isPending && database.isWriter($0), database) }
        } else {
            var isPending = false
            try db.inTransaction(.immediate) {
                isPending = try self.insert(prepared, database, db)
                return .commit
            }
            self.wasCommitted(prepared, isPending: isPending && database.isWriter(db), database)
        }
        return self.receipt(for: prepared.id, of: J.self)
    }

    /// Whether the job is known as pending with that.
    private func insert(_ prepared: PreparedJob, _ database: SQLiteQueueDatabase, _ db: Database) throws -> Bool {
        let due = prepared.notBefore?.roundedUpMilliseconds
        let stored = StoredMessage(prepared.message)
        if prepared.task.ignoresResult == true {
            try MessageRows.insert(stored, into: prepared.queue, notBefore: due, now: database.now, db)
            return false
        }
        return try MessageRows.insertPending(stored, into: prepared.queue, notBefore: due, now: database.now, db)
    }

    private func wasCommitted(_ prepared: PreparedJob, isPending: Bool, _ database: SQLiteQueueDatabase) {
        if isPending { database.changes.isPending(prepared.id) }
        database.changes.announceMessages()
        self.wasEnqueued(prepared)
    }
}
#endif
