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
        let now = self.database.now
        let prunes = self.database.pruningIsDue()
        let configuration = self.database.configuration
        // A job that is known as pending before its message is kept is known with that.
        let durability = status.state.isFinal && !self.isBesideMessages ? .power : self.database.settlement
        let isRecorded = try await self.database.write(durability) { db in
            if prunes {
                try ResultRows.prune(before: now.addingSaturating(-configuration.resultRetention.wholeMillisecondsRoundedUp), db)
                try MessageRows.pruneDeadLetters(
                    before: now.addingSaturating(-configuration.deadLetterRetention.wholeMillisecondsRoundedUp), db)
            }
            return try ResultRows.record(status, now: now, db)
        }
        if isRecorded, status.state.isFinal { self.database.changes.announce(.results) }
        return isRecorded
    }

    public func status(of id: JobID) async throws -> JobStatus? {
        try await self.database.read { try ResultRows.status(of: id, $0) }
    }

    public func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        let deadline = self.database.time.now().advanced(by: timeout)
        while true {
            let generation = self.database.changes.generation(of: .results)
            if let status = try await self.status(of: id), status.state.isFinal { return status }
            guard self.database.time.now() < deadline else { return nil }
            try await self.database.changes.wait(for: .results, after: generation, until: deadline)
        }
    }

    public func withdraw(_ id: JobID) async throws {
        try await self.database.write { try ResultRows.withdraw(id, $0) }
    }
}

/// The statements on the results' table, each within the caller's transaction.
enum ResultRows {
    /// Applies the rules of ``JobStatus/mayReplace(_:)``.
    static func record(_ status: JobStatus, now: Int64, _ db: Database) throws -> Bool {
        guard status.mayReplace(try self.status(of: status.id, db)) else { return false }
        try db.cachedStatement(
            sql: """
                INSERT INTO scalekit_queue_results (job, state, is_final, status, changed_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (job) DO UPDATE SET
                state = excluded.state, is_final = excluded.is_final, status = excluded.status, changed_at = excluded.changed_at
                """
        ).execute(arguments: [
            status.id.rawValue, status.state.rawValue, status.state.isFinal, status.json(extended: true).jsonText(), now,
        ])
        return true
    }

    static func status(of id: JobID, _ db: Database) throws -> JobStatus? {
        let text = try String.fetchOne(
            db.cachedStatement(sql: "SELECT status FROM scalekit_queue_results WHERE job = ?"), arguments: [id.rawValue])
        return text.flatMap { try? JSONParser.parse($0) }.flatMap(JobStatus.init(json:))
    }

    static func withdraw(_ id: JobID, _ db: Database) throws {
        try db.execute(
            sql: "DELETE FROM scalekit_queue_results WHERE job = ? AND state = ?", arguments: [id.rawValue, JobState.pending.rawValue])
    }

    /// Removes results of jobs that ended before `limit`, and states of jobs that have not changed since and have no message any more;
    /// some at a time.
    static func prune(before limit: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM scalekit_queue_results WHERE job IN (
                    SELECT job FROM scalekit_queue_results WHERE is_final = 1 AND changed_at < ? LIMIT 1000)
                """, arguments: [limit])
        try db.execute(
            sql: """
                DELETE FROM scalekit_queue_results WHERE job IN (
                    SELECT job FROM scalekit_queue_results AS r WHERE is_final = 0 AND changed_at < ?
                    AND NOT EXISTS (SELECT 1 FROM scalekit_queue_messages AS m WHERE m.job = r.job) LIMIT 1000)
                """, arguments: [limit])
    }
}
#endif
