#if SQLite
internal import GRDB
internal import QueueKit
internal import ScaleCore

/// The state that a message's row tells of its job, as long as the results' table has nothing about it (``Schema/JobState``).
struct Implied {
    let state: Schema.JobState
    private let headers: [UInt8]

    /// From a row whose first columns are the state and the headers.
    init(_ row: Columns) {
        self.state = Schema.JobState(rawValue: row.integer(0)) ?? .elsewhere
        self.headers = self.state == .elsewhere ? [] : row.bytes(1)
    }

    /// What would be in the results' table if it had been recorded there.
    var status: JobStatus? {
        guard self.state != .elsewhere, let headers = (try? JSONParser.parse(self.headers))?.objectValue,
            let id = headers["id"]?.stringValue.flatMap(JobID.init(rawValue:))
        else { return nil }
        var status = JobStatus(id: id, state: self.state == .started ? .started : .pending)
        status.parentID = headers["parent_id"]?.stringValue.flatMap(JobID.init(rawValue:))
        guard self.state == .started else { return status }
        status.retries = headers["retries"]?.integerValue.flatMap { Int(exactly: $0) } ?? 0
        status.groupID = headers["group"]?.stringValue
        return status
    }
}

/// The statements on the results' table, each within the caller's transaction.
enum ResultRows {
    /// Applies the rules of ``JobStatus/mayReplace(_:)``.
    ///
    /// - Parameter json: the status as it is kept.
    static func record(_ status: JobStatus, _ json: [UInt8], now: Int64, _ db: Database) throws -> Bool {
        if status.state == .pending {
            guard try !self.isKnown(status.id, db) else { return false }
        }
        let isRecorded =
            try db.change(
                """
                INSERT INTO scalekit_queue_results (job, state, is_final, status, changed_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (job) DO UPDATE SET
                state = excluded.state, is_final = excluded.is_final, status = excluded.status, changed_at = excluded.changed_at
                WHERE state <> 'SUCCESS'
                """,
                [
                    .text(status.id.rawValue), .text(status.state.rawValue), .integer(status.state.isFinal ? 1 : 0), .utf8(json),
                    .integer(now),
                ]) == 1
        // What a message tells of its job counts for less than this row. After a success no row can follow: there it may stay.
        if isRecorded, status.state != .success {
            try db.change(
                "UPDATE scalekit_queue_messages SET job_state = 0 WHERE job = ? AND job_state <> 0", [.text(status.id.rawValue)])
        }
        return isRecorded
    }

    static func isKnown(_ id: JobID, _ db: Database) throws -> Bool {
        try db.row(
            """
            SELECT 1 FROM scalekit_queue_results WHERE job = ?1
            UNION ALL SELECT 1 FROM scalekit_queue_messages WHERE job = ?1 AND job_state <> 0 LIMIT 1
            """, [.text(id.rawValue)]
        ) { _ in true } ?? false
    }

    static func status(of id: JobID, _ db: Database) throws -> JobStatus? {
        let recorded = try db.row("SELECT status FROM scalekit_queue_results WHERE job = ?", [.text(id.rawValue)]) { $0.bytes(0) }
        if let recorded { return (try? JSONParser.parse(recorded)).flatMap(JobStatus.init(json:)) }
        return try db.row(
            """
            SELECT job_state, headers FROM scalekit_queue_messages WHERE job = ? AND job_state <> 0 ORDER BY job_state DESC LIMIT 1
            """, [.text(id.rawValue)], Implied.init)?.status
    }

    /// Keeps here what messages told that are removed without a word about their jobs.
    static func keep(_ removed: [Implied], now: Int64, _ db: Database) throws {
        for status in removed.lazy.compactMap(\.status) {
            try db.change(
                """
                INSERT INTO scalekit_queue_results (job, state, is_final, status, changed_at) VALUES (?, ?, 0, ?, ?)
                ON CONFLICT (job) DO NOTHING
                """,
                [
                    .text(status.id.rawValue), .text(status.state.rawValue), .utf8(status.json(extended: true).jsonBytes()), .integer(now),
                ])
        }
    }

    static func withdraw(_ id: JobID, _ db: Database) throws {
        try db.change(
            "DELETE FROM scalekit_queue_results WHERE job = ? AND state = 'PENDING'", [.text(id.rawValue)])
        try db.change("UPDATE scalekit_queue_messages SET job_state = 0 WHERE job = ? AND job_state = 1", [.text(id.rawValue)])
    }

    /// Removes results of jobs that ended before `limit`, and states of jobs that have not changed since and have no message any more;
    /// some at a time.
    static func prune(before limit: Int64, _ db: Database) throws {
        try db.change(
            """
            DELETE FROM scalekit_queue_results WHERE job IN (
                SELECT job FROM scalekit_queue_results WHERE is_final = 1 AND changed_at < ? LIMIT 1000)
            """, [.integer(limit)])
        try db.change(
            """
            DELETE FROM scalekit_queue_results WHERE job IN (
                SELECT job FROM scalekit_queue_results AS r WHERE is_final = 0 AND changed_at < ?
                AND NOT EXISTS (SELECT 1 FROM scalekit_queue_messages AS m WHERE m.job = r.job) LIMIT 1000)
            """, [.integer(limit)])
    }
}
#endif
