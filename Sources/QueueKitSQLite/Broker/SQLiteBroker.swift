#if SQLite
internal import GRDB
public import QueueKit
public import ScaleCore

/// A durable broker in a SQLite database, for one or several processes on one machine.
///
/// Every call happens within a transaction that begins with the right to write (`BEGIN IMMEDIATE`), so two workers never lease the same
/// message. Calls that come at the same time share one, and wait for the disk once.
/// Who waits for messages is woken by this process's commits at once, and by other processes' within
/// ``SQLiteQueueDatabase/Configuration-swift.struct/longestPoll``. Calls other than a `receive` that waits do not react to
/// cancellation.
public final class SQLiteBroker: Broker {
    let database: SQLiteQueueDatabase

    public let capabilities = BrokerCapabilities(ordersByPriority: true, isDurable: true, keepsOrder: true)

    public init(_ database: SQLiteQueueDatabase) {
        self.database = database
    }

    public func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try QueueName.validate(queue)
        let stored = StoredMessage(message)
        try await self.write(bringsMessages: true) { db, now in
            try MessageRows.insert(stored, into: queue, notBefore: notBefore?.roundedUpMilliseconds, now: now, db)
        } committed: { [changes = self.database.changes] _ in
            changes.announceMessages()
        }
    }

    public func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        let changes = self.database.changes
        let watch = changes.watch(.messages)
        defer { changes.unwatch(watch) }
        while true {
            // A loss of power ends all leases.
            let (rows, deadline) = try await self.write(.process) { [database] db, now in
                // What has been announced by now is in the tables.
                changes.isLooking(watch)
                let rows = try MessageRows.lease(request, now: now, db)
                let next = rows.isEmpty ? try MessageRows.nextChange(db) : nil
                // Of the two clocks the monotonic one first: what passes before its time is used makes the wait shorter, and not longer.
                let instant = database.time.now()
                let deadline = next.map { instant.advanced(by: .milliseconds(max(0, $0.subtractingSaturating(database.now)))) }
                return (rows, deadline)
            }
            guard rows.isEmpty, request.waits, request.limit > 0 else { return rows.map(\.delivery) }
            if case .delivered(let rows) = try await changes.wait(for: watch, request, until: deadline) { return rows.map(\.delivery) }
        }
    }

    public func acknowledge(_ lease: Lease) async throws {
        try await self.settle(lease) { try MessageRows.delete(lease, now: $1, $0) }
    }

    public func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> {
        let milliseconds = duration.wholeMillisecondsRoundedUp
        return try await self.write(.process) { db, now in
            var ended: Set<Lease> = []
            for lease in leases where try !MessageRows.extend(lease, until: now.addingSaturating(milliseconds), now: now, db) {
                ended.insert(lease)
            }
            return ended
        }
    }

    public func release(_ lease: Lease) async throws {
        try await self.settle(lease) { try MessageRows.release(lease, now: $1, $0) }
        self.database.changes.announceMessages()
    }

    public func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        let due = notBefore?.roundedUpMilliseconds
        let stored = StoredMessage(message)
        try await self.settle(lease) { try MessageRows.replace(lease, by: stored, notBefore: due, now: $1, $0) }
        self.database.changes.announceMessages()
    }

    public func deadLetter(_ lease: Lease, reason: String) async throws {
        try await self.settle(lease) { try MessageRows.bury(lease, reason: reason, now: $1, $0) }
    }

    public func counts(of queue: String) async throws -> QueueCounts {
        let now = self.database.now
        return try await self.database.read { try MessageRows.counts(of: queue, now: now, $0) }
    }

    public func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.database.read { try MessageRows.deadLetters(of: queue, limit: limit, $0) }
    }

    public func redrive(_ queue: String, limit: Int) async throws -> Int {
        let count = try await self.write { try MessageRows.redrive(queue, limit: limit, now: $1, $0) }
        self.database.changes.announceMessages()
        return count
    }

    public func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> {
        let found = try await self.write { try MessageRows.redrive(queue, jobs: jobs, now: $1, $0) }
        self.database.changes.announceMessages()
        return found
    }

    public func purge(_ queue: String) async throws -> Int {
        try await self.write { try MessageRows.purge(queue, now: $1, $0) }
    }

    /// Runs a statement that must find its lease, and refuses when it does not.
    private func settle(_ lease: Lease, _ body: @escaping @Sendable (Database, Int64) throws -> Bool) async throws {
        guard try await self.write(self.database.settlement, body) else { throw QueueError.staleLease(lease) }
    }

    /// Runs a transaction with the time at which it has the right to write, for which another process may have let it wait: a lease that
    /// counted from before the wait could be over before it begins.
    private func write<Result: Sendable>(
        _ durability: SQLiteQueueDatabase.Durability = .power, bringsMessages: Bool = false,
        _ body: @escaping @Sendable (Database, Int64) throws -> Result, committed: @escaping @Sendable (Result) -> Void = { _ in }
    ) async throws -> Result {
        try await self.database.write(
            durability, bringsMessages: bringsMessages, { [database] in try body($0, database.now) }, committed: committed)
    }
}

extension SQLiteBroker: StateKeepingBroker {
    package func keepsStates(of results: any ResultStore) -> Bool {
        (results as? SQLiteResultStore)?.database === self.database
    }

    package func publishPending(_ message: Message, of job: JobID, to queue: String, notBefore: UTCTime?) async throws {
        try QueueName.validate(queue)
        let stored = StoredMessage(message)
        let pruning = self.database.duePruning()
        _ = try await self.write(bringsMessages: true) { db, now in
            try pruning?.run(db)
            return try MessageRows.insertPending(stored, into: queue, notBefore: notBefore?.roundedUpMilliseconds, now: now, db)
        } committed: { [changes = self.database.changes] isNew in
            if pruning != nil { changes.forgetAll() }
            if isNew { changes.isPending(job) }
            changes.announceMessages()
        }
    }

    package func acknowledge(_ lease: Lease, recording status: JobStatus) async throws {
        let pruning = self.database.duePruning()
        let json = status.json(extended: true).jsonBytes()
        let outcome: SettledJob = try await self.write(self.database.settlement) { db, now in
            try pruning?.run(db)
            guard try MessageRows.deleteEnded(lease, now: now, db) else { return .refused }
            return try ResultRows.record(status, json, now: now, db) ? .recorded : .known
        } committed: { [changes = self.database.changes] outcome in
            if pruning != nil { changes.forgetAll() }
            if outcome == .recorded { changes.recorded(status, bytes: json.count) }
        }
        guard outcome != .refused else { throw QueueError.staleLease(lease) }
    }

    private enum SettledJob {
        case refused
        case recorded
        /// The rules keep what is there.
        case known
    }
}

extension UTCTime {
    /// Up, so that no job runs before its time.
    var roundedUpMilliseconds: Int64 {
        let (quotient, remainder) = self.nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder > 0 ? quotient + 1 : quotient
    }
}

extension Int64 {
    func subtractingSaturating(_ other: Int64) -> Int64 {
        let (difference, overflow) = self.subtractingReportingOverflow(other)
        return overflow ? (self < other ? .min : .max) : difference
    }

    func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
#endif
