#if SQLite
internal import GRDB
internal import QueueKit
internal import ScaleCore

/// The statements on the messages' table, each within the caller's transaction. Times are milliseconds since 1970, UTC.
enum MessageRows {
    /// A lease that still holds: the condition that every word of an owner must meet.
    private static let held = "number = ? AND token = ? AND condition = 1 AND lease_until > ?"

    static func insert(_ message: Message, into queue: String, notBefore: Int64?, now: Int64, _ db: Database) throws {
        let isDelayed = notBefore.map { $0 > now } ?? false
        try db.cachedStatement(
            sql: """
                INSERT INTO scalekit_queue_messages (job, queue, condition, priority, ready_at, headers, properties, body)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            TaskMessage.id(of: message)?.rawValue, queue, (isDelayed ? Schema.Condition.delayed : .ready).rawValue,
            message.properties.priority, isDelayed ? notBefore : now, JSONValue.object(message.headers).jsonText(),
            message.properties.json.jsonText(), message.body.data,
        ])
    }

    /// Makes ready what is due, takes back what was lost, and leases the best messages of the queues. What comes back keeps the time at
    /// which it was ready first, and with it its place.
    static func lease(_ request: ReceiveRequest, now: Int64, _ db: Database) throws -> [Delivery] {
        try self.advance(to: now, db)
        if request.inOrder, try request.queues.contains(where: { try self.hasLeases(in: $0, db) }) { return [] }
        let candidates = try request.queues.flatMap { try self.ready(in: $0, limit: request.limit, db) }
        let chosen = candidates.sorted().prefix(max(0, request.limit))
        let until = now.addingSaturating(request.lease.wholeMillisecondsRoundedUp)
        return try chosen.map { candidate in
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        UPDATE scalekit_queue_messages SET condition = 1, token = token + 1, owner = ?, lease_until = ? WHERE number = ?
                        RETURNING token, losses, headers, properties, body
                        """), arguments: [request.owner, until, candidate.number])
            guard let row else { throw QueueError(code: .unavailable, message: "a message vanished within a transaction") }
            let lease = Lease(
                queue: candidate.queue, message: candidate.number, fencingToken: row.integer("token"), owner: request.owner)
            return Delivery(lease: lease, message: self.message(row), losses: Int(clamping: row.integer("losses")))
        }
    }

    /// When rows change without anybody's doing: a delayed message is due, or a lease ends.
    static func nextChange(_ db: Database) throws -> Int64? {
        let due = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT min(ready_at) FROM scalekit_queue_messages WHERE condition = 3"))
        let end = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT min(lease_until) FROM scalekit_queue_messages WHERE condition = 1"))
        return [due, end].compactMap { $0 }.min()
    }

    static func delete(_ lease: Lease, now: Int64, _ db: Database) throws -> Bool {
        try db.cachedStatement(sql: "DELETE FROM scalekit_queue_messages WHERE \(self.held)")
            .execute(arguments: [lease.message, lease.fencingToken, now])
        return db.changesCount == 1
    }

    static func extend(_ lease: Lease, until: Int64, now: Int64, _ db: Database) throws -> Bool {
        try db.cachedStatement(sql: "UPDATE scalekit_queue_messages SET lease_until = ? WHERE \(self.held)")
            .execute(arguments: [until, lease.message, lease.fencingToken, now])
        return db.changesCount == 1
    }

    static func release(_ lease: Lease, now: Int64, _ db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                UPDATE scalekit_queue_messages SET condition = 0, owner = NULL, lease_until = NULL WHERE \(self.held)
                """
        ).execute(arguments: [lease.message, lease.fencingToken, now])
        return db.changesCount == 1
    }

    static func replace(_ lease: Lease, by message: Message, notBefore: Int64?, now: Int64, _ db: Database) throws -> Bool {
        let isDelayed = notBefore.map { $0 > now } ?? false
        try db.cachedStatement(
            sql: """
                UPDATE scalekit_queue_messages SET condition = ?, ready_at = ?, priority = ?, headers = ?, properties = ?, body = ?,
                owner = NULL, lease_until = NULL WHERE \(self.held)
                """
        ).execute(arguments: [
            (isDelayed ? Schema.Condition.delayed : .ready).rawValue, isDelayed ? notBefore : now, message.properties.priority,
            JSONValue.object(message.headers).jsonText(), message.properties.json.jsonText(), message.body.data,
            lease.message, lease.fencingToken, now,
        ])
        return db.changesCount == 1
    }

    static func bury(_ lease: Lease, reason: String, now: Int64, _ db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                UPDATE scalekit_queue_messages SET condition = 2, dead_at = ?, dead_reason = ?, owner = NULL, lease_until = NULL
                WHERE \(self.held)
                """
        ).execute(arguments: [now, reason, lease.message, lease.fencingToken, now])
        return db.changesCount == 1
    }

    static func counts(of queue: String, now: Int64, _ db: Database) throws -> QueueCounts {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT
                count(*) FILTER (WHERE condition = 0 OR condition = 3 AND ready_at <= :now OR condition = 1 AND lease_until <= :now) AS ready,
                count(*) FILTER (WHERE condition = 3 AND ready_at > :now) AS delayed,
                count(*) FILTER (WHERE condition = 1 AND lease_until > :now) AS leased,
                count(*) FILTER (WHERE condition = 2) AS dead
                FROM scalekit_queue_messages WHERE queue = :queue
                """, arguments: ["now": now, "queue": queue])
        guard let row else { return QueueCounts() }
        func count(_ column: String) -> Int { Int(clamping: row.integer(column)) }
        return QueueCounts(ready: count("ready"), delayed: count("delayed"), leased: count("leased"), dead: count("dead"))
    }

    static func deadLetters(of queue: String, limit: Int, _ db: Database) throws -> [DeadLetter] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT headers, properties, body, dead_at, dead_reason FROM scalekit_queue_messages
                WHERE condition = 2 AND queue = ? ORDER BY dead_at, number LIMIT ?
                """, arguments: [queue, max(0, limit)]
        ).map { row in
            DeadLetter(
                queue: queue, message: self.message(row), reason: row.text("dead_reason") ?? "",
                at: UTCTime(millisecondsSinceEpoch: row.integer("dead_at")))
        }
    }

    static func redrive(_ queue: String, limit: Int, now: Int64, _ db: Database) throws -> Int {
        try db.execute(
            sql: """
                UPDATE scalekit_queue_messages SET condition = 0, ready_at = ?, losses = 0, dead_at = NULL, dead_reason = NULL
                WHERE number IN (
                    SELECT number FROM scalekit_queue_messages WHERE condition = 2 AND queue = ? ORDER BY dead_at, number LIMIT ?)
                """, arguments: [now, queue, max(0, limit)])
        return db.changesCount
    }

    static func redrive(_ queue: String, jobs: Set<JobID>, now: Int64, _ db: Database) throws -> Set<JobID> {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE scalekit_queue_messages SET condition = 0, ready_at = ?, losses = 0, dead_at = NULL, dead_reason = NULL
                WHERE condition = 2 AND queue = ? AND job = ?
                """)
        var found: Set<JobID> = []
        for job in jobs {
            try statement.execute(arguments: [now, queue, job.rawValue])
            if db.changesCount > 0 { found.insert(job) }
        }
        return found
    }

    static func purge(_ queue: String, _ db: Database) throws -> Int {
        try db.execute(sql: "DELETE FROM scalekit_queue_messages WHERE queue = ? AND condition IN (0, 3)", arguments: [queue])
        return db.changesCount
    }

    /// Removes dead letters from before `limit`, some at a time.
    static func pruneDeadLetters(before limit: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM scalekit_queue_messages WHERE number IN (
                    SELECT number FROM scalekit_queue_messages WHERE condition = 2 AND dead_at < ? LIMIT 1000)
                """, arguments: [limit])
    }

    private static func advance(to now: Int64, _ db: Database) throws {
        try db.cachedStatement(sql: "UPDATE scalekit_queue_messages SET condition = 0 WHERE condition = 3 AND ready_at <= ?")
            .execute(arguments: [now])
        try db.cachedStatement(
            sql: """
                UPDATE scalekit_queue_messages SET condition = 0, losses = losses + 1, owner = NULL, lease_until = NULL
                WHERE condition = 1 AND lease_until <= ?
                """
        ).execute(arguments: [now])
    }

    private static func hasLeases(in queue: String, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT EXISTS (SELECT 1 FROM scalekit_queue_messages WHERE condition = 1 AND queue = ?)"), arguments: [queue])
            ?? false
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
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT number, priority, ready_at FROM scalekit_queue_messages WHERE condition = 0 AND queue = ?
                    ORDER BY priority DESC, ready_at, number LIMIT ?
                    """), arguments: [queue, max(0, limit)]
        ).map { row in
            Candidate(
                queue: queue, priority: row.integer("priority"), readyAt: row.integer("ready_at"), number: row.integer("number"))
        }
    }

    /// The message of a row. A file may have been damaged or edited: what cannot be read is left out, and the worker will find the message
    /// malformed.
    private static func message(_ row: Row) -> Message {
        let headers = row.text("headers").flatMap { try? JSONParser.parse($0) }?.objectValue
        let properties = row.text("properties").flatMap { try? JSONParser.parse($0) }?.objectValue
        return Message(
            headers: headers ?? [:], properties: Message.Properties(json: properties ?? [:]), body: row.bytes("body"))
    }
}
#endif
