#if SQLite
internal import GRDB
public import QueueKit
internal import ScaleCore

/// States and results in a SQLite database, beside the messages or elsewhere.
///
/// Results of ended jobs are removed after ``SQLiteQueueDatabase/Configuration-swift.struct/resultRetention``, and dead letters after
/// their retention, by the way of other writes, at most once a minute.
public final class SQLiteResultStore: ResultStore {
    let database: SQLiteQueueDatabase
    /// The messages are in this database too: a result that is lost with the power is lost with the acknowledgement, which came later.
    private let isBesideMessages: Bool

    public convenience init(_ database: SQLiteQueueDatabase) {
        self.init(database, isBesideMessages: false)
    }

    init(_ database: SQLiteQueueDatabase, isBesideMessages: Bool) {
        self.database = database
        self.isBesideMessages = isBesideMessages
    }

    public func record(_ status: JobStatus) async throws -> Bool {
        let database = self.database
        // A job that is known as pending before its message is kept is known with that.
        let durability = status.state.isFinal && !self.isBesideMessages ? .power : database.settlement
        let pruning = database.duePruning()
        let json = status.json(extended: true).jsonBytes()
        return try await database.write(durability) { db in
            try pruning?.run(db)
            return try ResultRows.record(status, json, now: database.now, db)
        } committed: { isRecorded in
            if pruning != nil { database.changes.forgetAll() }
            if isRecorded { database.changes.recorded(status, bytes: json.count) }
        }
    }

    public func status(of id: JobID) async throws -> JobStatus? {
        try await self.database.read { try ResultRows.status(of: id, $0) }
    }

    public func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        let changes = self.database.changes
        let deadline = self.database.time.now().advanced(by: timeout)
        // From here on no end of the job is missed.
        let watch = changes.watch(.end(of: id))
        defer { changes.unwatch(watch) }
        while true {
            switch changes.knowledge(of: id) {
            case .ended(let status)?: return status
            case .pending? where self.database.time.now() < deadline: break
            case .pending?, nil:
                if let status = try await self.status(of: id), status.state.isFinal { return status }
            }
            guard self.database.time.now() < deadline else { return nil }
            if case .ended(let status) = try await changes.wait(for: watch, until: deadline) { return status }
        }
    }

    public func withdraw(_ id: JobID) async throws {
        let changes = self.database.changes
        try await self.database.write {
            try ResultRows.withdraw(id, $0)
        } committed: { _ in
            changes.forget(id)
        }
    }
}
#endif
