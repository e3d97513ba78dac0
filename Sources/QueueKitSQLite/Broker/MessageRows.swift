#if SQLite
internal import GRDB
internal import QueueKit
internal import ScaleCore

/// The statements on the messages' table, each within the caller's transaction. Times are milliseconds since 1970, UTC.
enum MessageRows {
    /// A lease that still holds: the condition that every word of an owner must meet.
    private static let held = "number = ? AND token = ? AND condition = 1 AND lease_until > ?"

    private static func held(_ lease: Lease, _ now: Int64) -> [Binding] {
        [.integer(lease.message), .integer(lease.fencingToken), .integer(now)]
    }

    static func insert(
        _ message: StoredMessage, into queue: String, notBefore: Int64?, state: Schema.JobState = .elsewhere, now: Int64, _ db: Database
    ) throws {
        let due = notBefore.flatMap { $0 > now ? $0 : nil }
        try db.change(
            """
            INSERT INTO scalekit_queue_messages (job, queue, condition, priority, ready_at, headers, properties, body, job_state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .optionalText(message.job?.rawValue), .text(queue),
                .integer((due == nil ? Schema.Condition.ready : .delayed).rawValue), .integer(Int64(message.priority)),
                .integer(due ?? now), .utf8(message.headers), .utf8(message.properties), .bytes(message.body),
                .integer(state.rawValue),
            ])
    }

    /// Adds a message whose job becomes known as pending with it, unless it is known: whether it was not.
    static func insertPending(_ message: StoredMessage, into queue: String, notBefore: Int64?, now: Int64, _ db: Database) throws -> Bool {
        let isNew = try message.job.map { try !ResultRows.isKnown($0, db) } ?? false
        try self.insert(message, into: queue, notBefore: notBefore, state: isNew ? .pending : .elsewhere, now: now, db)
        return isNew
    }

    /// Makes ready what is due, takes back what was lost, and leases the best messages of the queues. What comes back keeps the time at
    /// which it was ready first, and with it its place.
    static func lease(_ request: ReceiveRequest, now: Int64, _ db: Database) throws -> [LeasedRow] {
        try self.advance(to: now, db)
        if request.inOrder, try request.queues.contains(where: { try self.hasLeases(in: $0, db) }) { return [] }
        let candidates = try request.queues.flatMap { try self.ready(in: $0, limit: request.limit, db) }
        let chosen = request.queues.count == 1 ? candidates[...] : candidates.sorted().prefix(max(0, request.limit))
        let until = now.addingSaturating(request.lease.wholeMillisecondsRoundedUp)
        return try chosen.map { candidate in
            let row = try db.change(
                """
                UPDATE scalekit_queue_messages SET condition = 1, token = token + 1, owner = ?, lease_until = ?,
                job_state = CASE WHEN job_state = 1 AND ? THEN 2 ELSE job_state END WHERE number = ?
                RETURNING token, losses, headers, properties, body, job_state
                """, [.text(request.owner), .integer(until), .integer(request.startsJobs ? 1 : 0), .integer(candidate.number)]
            ) { row in
                LeasedRow(
                    lease: Lease(
                        queue: candidate.queue, message: candidate.number, fencingToken: row.integer(0), owner: request.owner),
                    losses: row.integer(1), headers: row.bytes(2), properties: row.bytes(3), body: row.bytes(4),
                    isKnownAsStarted: request.startsJobs && row.integer(5) == Schema.JobState.started.rawValue)
            }.first
            guard let row else { throw QueueError(code: .unavailable, message: "a message vanished within a transaction") }
            return row
        }
    }

    /// When rows change without anybody's doing: a delayed message is due, or a lease ends.
    static func nextChange(_ db: Database) throws -> Int64? {
        func earliest(_ sql: String) throws -> Int64? {
            try db.row(sql, []) { $0.isNull(0) ? nil : $0.integer(0) } ?? nil
        }
        let due = try earliest("SELECT min(ready_at) FROM scalekit_queue_messages WHERE condition = 3")
        let end = try earliest("SELECT min(lease_until) FROM scalekit_queue_messages WHERE condition = 1")
        return [due, end].compactMap { $0 }.min()
    }

    /// Removes a message of whose job nothing further is told here: where it was pending, it stays so.
    static func delete(_ lease: Lease, now: Int64, _ db: Database) throws -> Bool {
        let removed = try db.change(
            "DELETE FROM scalekit_queue_messages WHERE \(self.held) RETURNING job_state, headers", self.held(lease, now),
            returning: Implied.init)
        try ResultRows.keep(removed, now: now, db)
        return !removed.isEmpty
    }

    /// Removes a message whose job's end is recorded in the same transaction.
    static func deleteEnded(_ lease: Lease, now: Int64, _ db: Database) throws -> Bool {
        try db.change("DELETE FROM scalekit_queue_messages WHERE \(self.held)", self.held(lease, now)) == 1
    }

    static func extend(_ lease: Lease, until: Int64, now: Int64, _ db: Database) throws -> Bool {
        try db.change(
            "UPDATE scalekit_queue_messages SET lease_until = ? WHERE \(self.held)", [.integer(until)] + self.held(lease, now)) == 1
    }

    /// A job that is given back without a word about it is pending again, if that is kept here.
    static func release(_ lease: Lease, now: Int64, _ db: Database) throws -> Bool {
        try db.change(
            """
            UPDATE scalekit_queue_messages SET condition = 0, job_state = min(job_state, 1), owner = NULL, lease_until = NULL
            WHERE \(self.held)
            """,
            self.held(lease, now)) == 1
    }

    /// A job that is to wait without a word about it is pending again, if that is kept here.
    static func replace(_ lease: Lease, by message: StoredMessage, notBefore: Int64?, now: Int64, _ db: Database) throws -> Bool {
        let due = notBefore.flatMap { $0 > now ? $0 : nil }
        return try db.change(
            """
            UPDATE scalekit_queue_messages SET condition = ?, ready_at = ?, priority = ?, headers = ?, properties = ?, body = ?,
            job_state = min(job_state, 1), owner = NULL, lease_until = NULL WHERE \(self.held)
            """,
            [
                .integer((due == nil ? Schema.Condition.ready : .delayed).rawValue), .integer(due ?? now),
                .integer(Int64(message.priority)), .utf8(message.headers), .utf8(message.properties), .bytes(message.body),
            ] + self.held(lease, now)) == 1
    }

    static func bury(_ lease: Lease, reason: String, now: Int64, _ db: Database) throws -> Bool {
        try db.change(
            """
            UPDATE scalekit_queue_messages SET condition = 2, dead_at = ?, dead_reason = ?, owner = NULL, lease_until = NULL
            WHERE \(self.held)
            """, [.integer(now), .text(reason)] + self.held(lease, now)) == 1
    }

    static func counts(of queue: String, now: Int64, _ db: Database) throws -> QueueCounts {
        try db.row(
            """
            SELECT
            count(*) FILTER (WHERE condition = 0 OR condition = 3 AND ready_at <= ?1 OR condition = 1 AND lease_until <= ?1),
            count(*) FILTER (WHERE condition = 3 AND ready_at > ?1),
            count(*) FILTER (WHERE condition = 1 AND lease_until > ?1),
            count(*) FILTER (WHERE condition = 2)
            FROM scalekit_queue_messages WHERE queue = ?2
            """, [.integer(now), .text(queue)]
        ) { row in
            func count(_ index: Int32) -> Int { Int(clamping: row.integer(index)) }
            return QueueCounts(ready: count(0), delayed: count(1), leased: count(2), dead: count(3))
        } ?? QueueCounts()
    }

    static func deadLetters(of queue: String, limit: Int, _ db: Database) throws -> [DeadLetter] {
        try db.rows(
            """
            SELECT headers, properties, body, dead_at, dead_reason FROM scalekit_queue_messages
            WHERE condition = 2 AND queue = ? ORDER BY dead_at, number LIMIT ?
            """, [.text(queue), .integer(Int64(max(0, limit)))]
        ) { row in
            DeadLetter(
                queue: queue, message: StoredMessage.message(headers: row.bytes(0), properties: row.bytes(1), body: row.bytes(2)),
                reason: row.text(4) ?? "", at: UTCTime(millisecondsSinceEpoch: row.integer(3)))
        }
    }

    static func redrive(_ queue: String, limit: Int, now: Int64, _ db: Database) throws -> Int {
        try db.change(
            """
            UPDATE scalekit_queue_messages SET condition = 0, ready_at = ?, losses = 0, dead_at = NULL, dead_reason = NULL
            WHERE number IN (
                SELECT number FROM scalekit_queue_messages WHERE condition = 2 AND queue = ? ORDER BY dead_at, number LIMIT ?)
            """, [.integer(now), .text(queue), .integer(Int64(max(0, limit)))])
    }

    static func redrive(_ queue: String, jobs: Set<JobID>, now: Int64, _ db: Database) throws -> Set<JobID> {
        try jobs.filter { job in
            try db.change(
                """
                UPDATE scalekit_queue_messages SET condition = 0, ready_at = ?, losses = 0, dead_at = NULL, dead_reason = NULL
                WHERE condition = 2 AND queue = ? AND job = ?
                """, [.integer(now), .text(queue), .text(job.rawValue)]) > 0
        }
    }

    static func purge(_ queue: String, now: Int64, _ db: Database) throws -> Int {
        let removed = try db.change(
            "DELETE FROM scalekit_queue_messages WHERE queue = ? AND condition IN (0, 3) RETURNING job_state, headers", [.text(queue)],
            returning: Implied.init)
        try ResultRows.keep(removed, now: now, db)
        return removed.count
    }

    /// Removes dead letters from before `limit`, some at a time.
    static func pruneDeadLetters(before limit: Int64, _ db: Database) throws {
        try db.change(
            """
            DELETE FROM scalekit_queue_messages WHERE number IN (
                SELECT number FROM scalekit_queue_messages WHERE condition = 2 AND dead_at < ? LIMIT 1000)
            """, [.integer(limit)])
    }

    private static func advance(to now: Int64, _ db: Database) throws {
        try db.change(
            "UPDATE scalekit_queue_messages SET condition = 0 WHERE condition = 3 AND ready_at <= ?", [.integer(now)])
        try db.change(
            """
            UPDATE scalekit_queue_messages SET condition = 0, losses = losses + 1, owner = NULL, lease_until = NULL
            WHERE condition = 1 AND lease_until <= ?
            """, [.integer(now)])
    }

    private static func hasLeases(in queue: String, _ db: Database) throws -> Bool {
        try db.row("SELECT 1 FROM scalekit_queue_messages WHERE condition = 1 AND queue = ? LIMIT 1", [.text(queue)]) { _ in true } ?? false
    }

    private struct Candidate: Comparable {
        let queue: String
        let priority: Int64
        let readyAt: Int64
        let number: Int64

        static func < (left: Candidate, right: Candidate) -> Bool {
            (right.priority, left.readyAt, left.number) < (left.priority, right.readyAt, right.number)
        }
    }

    private static func ready(in queue: String, limit: Int, _ db: Database) throws -> [Candidate] {
        try db.rows(
            """
            SELECT number, priority, ready_at FROM scalekit_queue_messages WHERE condition = 0 AND queue = ?
            ORDER BY priority DESC, ready_at, number LIMIT ?
            """, [.text(queue), .integer(Int64(max(0, limit)))]
        ) { row in
            Candidate(queue: queue, priority: row.integer(1), readyAt: row.integer(2), number: row.integer(0))
        }
    }
}
#endif
