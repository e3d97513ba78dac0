/// Runs a piece of work once per key, however many callers ask for it at the same time, and gives all of them its result.
///
/// It is the cure for the stampede: 200 requests that miss the same cache entry cause one query. The name is that of Go's
/// `golang.org/x/sync/singleflight`; the rules of cancellation are ours:
///
/// - A caller that is cancelled gets `CancellationError`, at once, and harms no other.
/// - The work is cancelled only when *every* caller that waits for it is. A caller that comes later starts it anew, even
///   while the cancelled work still runs.
/// - An error reaches all callers that wait, and is not remembered, any more than a value is: the next caller starts anew.
///
/// The work runs in a task of its own, with the priority and the task-local values (trace context, logger metadata) of the caller that
/// started it. A caller of a higher priority that joins does not raise the work's. A work that asks the same `SingleFlight`
/// for its own key would wait for itself; so would two works that ask for each other's.
public final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Whether a caller caused the work or found it under way.
    public enum Role: Hashable, Sendable {
        case started
        case joined
    }

    private typealias Continuation = CheckedContinuation<(value: Value, role: Role), any Error>
    private typealias Table = FlightTable<Key, Waiter, Task<Void, Never>>

    private struct Waiter {
        let continuation: Continuation
        let role: Role
    }

    private let table = Locked(Table())

    public init() {}

    /// The result of `work`, run now or under way for another caller of the same key.
    ///
    /// - Throws: what the work throws; `CancellationError` when this caller's task is cancelled.
    public func value(for key: Key, _ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await self.outcome(for: key, work).value
    }

    /// As ``value(for:_:)``, and says whether this caller started the work.
    public func outcome(
        for key: Key, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> (value: Value, role: Role) {
        let id = self.table.withLock { $0.makeWaiterID() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.join(key, as: id, continuation, work)
            }
        } onCancel: {
            self.leave(id)
        }
    }

    /// Lets callers that come from now on start the work anew, while those who wait still get the result of the present one.
    ///
    /// For data that has changed since the work began: what is under way may have seen the old state.
    public func detach(_ key: Key) {
        self.table.withLock { $0.detach(key) }
    }

    /// ``detach(_:)`` for every key.
    public func detachAll() {
        self.table.withLock { $0.detachAll() }
    }

    /// Whether a caller for `key` would join a flight now. A hint: it may have changed when this returns.
    public func isInFlight(_ key: Key) -> Bool {
        self.table.withLock { $0.isInFlight(key) }
    }

    /// How many callers wait for the flight that a new caller for `key` would join.
    public func waiterCount(for key: Key) -> Int {
        self.table.withLock { $0.waiterCount(for: key) }
    }

    /// Whether nothing is remembered of any flight; only then can a test say that nothing leaks.
    package var isIdle: Bool {
        self.table.withLock { $0.isEmpty }
    }

    // MARK: Carrying out the table's decisions

    private func join(
        _ key: Key, as id: Table.WaiterID, _ continuation: Continuation, _ work: @escaping @Sendable () async throws -> Value
    ) {
        let action: Table.JoinAction? = self.table.withLock { table in
            // A task's flag is set before its cancellation handler runs. If the handler came before us, we see the flag here;
            // if it comes after us, it finds the waiter in the table.
            if Task.isCancelled { return nil }
            let role: Role = table.isInFlight(key) ? .joined : .started
            return table.join(key, as: id, Waiter(continuation: continuation, role: role))
        }
        switch action {
        case nil: continuation.resume(throwing: CancellationError())
        case .wait: break
        case .start(let flight): self.start(flight, work)
        }
    }

    private func start(_ flight: Table.FlightID, _ work: @escaping @Sendable () async throws -> Value) {
        let task = Task {
            let result: Result<Value, any Error>
            do {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            for waiter in self.table.withLock({ $0.finish(flight) }) {
                waiter.continuation.resume(with: result.map { ($0, waiter.role) })
            }
        }
        switch self.table.withLock({ $0.started(flight, work: task) }) {
        case .none: break
        case .cancel: task.cancel()
        }
    }

    private func leave(_ id: Table.WaiterID) {
        switch self.table.withLock({ $0.leave(id) }) {
        case .none:
            break
        case .resume(let waiter):
            waiter.continuation.resume(throwing: CancellationError())
        case .resumeAndCancel(let waiter, let work):
            work?.cancel()
            waiter.continuation.resume(throwing: CancellationError())
        }
    }
}
