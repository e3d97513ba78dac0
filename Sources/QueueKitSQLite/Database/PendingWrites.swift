#if SQLite
internal import GRDB
internal import QueueKit
internal import ScaleCore

/// Transactions that wait for the writer. Those that wait at the same time are carried out in one, so that the disk is waited for once for all
/// of them. When one of them fails all are undone and carried out once more, each within a savepoint of its own: then it undoes nothing
/// of the others.
final class PendingWrites: Sendable {
    private struct State {
        var writes: [any PendingWrite] = []
        /// The writer has been asked for, or is at work.
        var isAwake = false
    }

    private let state = Locked(State())

    /// How many are put together at most: others want to write too.
    private static let most = 256

    /// Adds a write; whether the writer has to be asked for.
    func add(_ write: any PendingWrite) -> Bool {
        self.state.withLock { state in
            state.writes.append(write)
            defer { state.isAwake = true }
            return !state.isAwake
        }
    }

    /// The next ones, in order; and whether more are left, for which the writer has to be asked for again.
    func take() -> (writes: [any PendingWrite], isMoreLeft: Bool) {
        self.state.withLock { state in
            let writes = Array(state.writes.prefix(Self.most))
            state.writes.removeFirst(writes.count)
            state.isAwake = !state.writes.isEmpty
            return (writes, state.isAwake)
        }
    }
}

/// One of them.
protocol PendingWrite: AnyObject, Sendable {
    var durability: SQLiteQueueDatabase.Durability { get }

    /// Whether those who wait for messages may find some in the same transaction.
    var bringsMessages: Bool { get }

    /// Does its work within the transaction, or keeps the error. What it had done before it failed is left for the caller to undo, unless
    /// it is to do so itself, by a savepoint. May be asked for again after a rollback.
    func perform(_ db: Database, undoesItself: Bool)

    var hasFailed: Bool { get }

    /// The transaction has been committed, or has failed with this error.
    func end(_ error: (any Error)?)
}

/// `@unchecked Sendable`: made by its caller, then only touched by the writer, and by one thread at a time.
final class QueuedWrite<Value: Sendable>: PendingWrite, @unchecked Sendable {
    let durability: SQLiteQueueDatabase.Durability
    let bringsMessages: Bool
    private let body: @Sendable (Database) throws -> Value
    private let committed: @Sendable (Value) -> Void
    private let continuation: CheckedContinuation<Value, any Error>
    private var result: Result<Value, any Error>?

    /// - Parameter committed: called by the writer after the commit, before anything else is written.
    init(
        _ durability: SQLiteQueueDatabase.Durability, bringsMessages: Bool, _ body: @escaping @Sendable (Database) throws -> Value,
        committed: @escaping @Sendable (Value) -> Void, _ continuation: CheckedContinuation<Value, any Error>
    ) {
        self.durability = durability
        self.bringsMessages = bringsMessages
        self.body = body
        self.committed = committed
        self.continuation = continuation
    }

    func perform(_ db: Database, undoesItself: Bool) {
        do {
            guard undoesItself else {
                self.result = .success(try self.body(db))
                return
            }
            var value: Value?
            try db.inSavepoint {
                value = try self.body(db)
                return .commit
            }
            guard let value else { throw QueueError(code: .unavailable, message: "the transaction was not run") }
            self.result = .success(value)
        } catch {
            self.result = .failure(error)
        }
    }

    var hasFailed: Bool {
        if case .failure? = self.result { true } else { false }
    }

    func end(_ error: (any Error)?) {
        // What it has failed with itself says more than that the transaction was undone for it.
        if case .failure(let own)? = self.result {
            self.continuation.resume(throwing: own)
        } else if let error {
            self.continuation.resume(throwing: error)
        } else if case .success(let value)? = self.result {
            self.committed(value)
            self.continuation.resume(returning: value)
        } else {
            self.continuation.resume(throwing: QueueError(code: .unavailable, message: "the transaction was not run"))
        }
    }
}
#endif
