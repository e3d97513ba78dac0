#if SQLite
internal import GRDB
internal import GRDBSQLite
internal import QueueKit

extension SQLiteQueueDatabase {
    /// Runs a transaction that has the right to write from its first statement on, so that it never fails half way for want of it;
    /// together with those that wait at the same time.
    ///
    /// - Parameters:
    ///   - bringsMessages: whether those who wait for messages may find some with this.
    ///   - body: may be run again, in another transaction, when it shared the first one with another that failed.
    ///   - committed: called by the writer after the commit, before anything else is written.
    func write<Value: Sendable>(
        _ durability: Durability = .power, bringsMessages: Bool = false, _ body: @escaping @Sendable (Database) throws -> Value,
        committed: @escaping @Sendable (Value) -> Void = { _ in }
    ) async throws -> Value {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                let write = QueuedWrite(durability, bringsMessages: bringsMessages, body, committed: committed, continuation)
                // Behind those who are about to come as well, since what woke this caller has woken them: they share the transaction.
                if self.pending.add(write) { Task.detached { self.askForWriter() } }
            }
        } catch let error as DatabaseError {
            throw QueueError(code: .unavailable, message: Self.describe(error))
        }
    }

    private func askForWriter() {
        self.writer.asyncWriteWithoutTransaction { db in
            let (writes, isMoreLeft) = self.pending.take()
            self.commit(writes, db)
            if isMoreLeft { self.askForWriter() }
        }
    }

    /// Carries out writes that came at the same time, in one transaction, and with the messages that they bring the wishes of those who wait
    /// for some.
    func commit(_ writes: [any PendingWrite], _ db: Database) {
        guard !writes.isEmpty else { return }
        let waitsLess = self.ownsFile && writes.allSatisfy { $0.durability == .process }
        var failure: (any Error)?
        var leases = StandingLeases()
        do {
            if waitsLess { try db.setSynchronous("NORMAL") }
            var isUndone = false
            try db.inTransaction(.immediate) {
                for write in writes { write.perform(db, undoesItself: false) }
                if writes.contains(where: \.bringsMessages) { leases.take(from: self.changes, at: self.now, db) }
                isUndone = leases.hasFailed || writes.contains(where: \.hasFailed)
                return isUndone ? .rollback : .commit
            }
            if isUndone { leases.areUndone() }
            // Alone, what has failed has failed.
            if isUndone, writes.count > 1 || leases.hasFailed {
                try db.inTransaction(.immediate) {
                    for write in writes { write.perform(db, undoesItself: true) }
                    return .commit
                }
            }
        } catch {
            failure = error
            leases.areUndone()
        }
        // The connection is also that of the caller's own transactions, which may enqueue.
        if waitsLess { try? db.setSynchronous("FULL") }
        for write in writes { write.end(failure) }
        leases.end()
    }
}

/// What is leased within a transaction for those who wait.
private struct StandingLeases {
    private var claims: [(claim: Watches.Claim, rows: [LeasedRow])] = []
    /// The transaction must not be committed.
    private(set) var hasFailed = false

    /// Leases for one after the other, as long as there are messages.
    mutating func take(from changes: Changes, at now: Int64, _ db: Database) {
        while !self.hasFailed, let claim = changes.claim() {
            do {
                let rows = try MessageRows.lease(claim.request, now: now, db)
                self.claims.append((claim, rows))
                if rows.isEmpty { return }
            } catch {
                self.claims.append((claim, []))
                self.hasFailed = true
            }
        }
    }

    /// Who was to have them looks by itself.
    mutating func areUndone() {
        for index in self.claims.indices { self.claims[index].rows = [] }
    }

    /// Tells those who wait: of their messages, or that something has changed which they did not profit from.
    func end() {
        for (claim, rows) in self.claims { claim.continuation.resume(returning: rows.isEmpty ? .changed : .delivered(rows)) }
    }
}

extension Database {
    /// Outside of a transaction. GRDB's own way parses and observes, and this happens twice in most transactions.
    fileprivate func setSynchronous(_ level: String) throws {
        let code = sqlite3_exec(self.sqliteConnection, "PRAGMA synchronous = \(level)", nil, nil, nil)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), message: self.lastErrorMessage) }
    }
}
#endif
