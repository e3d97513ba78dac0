import ScaleCore

/// The faults that a test has planned for a fake: "fail the next `get`", "lose the reply of the second write".
///
/// `Operation` is the fake's own description of what it does, such as an enum with the key as payload. The fake runs each operation
/// through ``perform(_:_:)``; faults are used up in the order in which they were planned.
///
/// ```swift
/// store.faults.failNext(.get("a"), times: 2, with: StoreError.unavailable)
/// ```
public final class FaultScript<Operation: Sendable>: Sendable {
    private struct Entry: Sendable {
        let id: UInt64
        let fault: Fault
        let matches: @Sendable (Operation) -> Bool
        /// How many operations it still strikes; `nil` for all.
        var remaining: Int?
    }

    private struct State: Sendable {
        var nextID: UInt64 = 0
        var entries: [Entry] = []
    }

    private let state = Locked(State())

    public init() {}

    // MARK: Planning

    /// Plans `fault` for the next operations that match.
    ///
    /// - Parameter times: for how many; `nil` for all until ``clear()``.
    public func plan(_ fault: Fault, times: Int? = 1, where matches: @escaping @Sendable (Operation) -> Bool) {
        self.state.withLock { state in
            guard times.map({ $0 > 0 }) ?? true else { return }
            state.nextID += 1
            state.entries.append(Entry(id: state.nextID, fault: fault, matches: matches, remaining: times))
        }
    }

    /// Lets the next operations that match fail with `error`, and not happen.
    public func failNext(times: Int = 1, with error: any Error, where matches: @escaping @Sendable (Operation) -> Bool) {
        self.plan(.failure(error), times: times, where: matches)
    }

    /// Lets the next operations, of any kind, fail with `error`, and not happen.
    public func failNext(times: Int = 1, with error: any Error) {
        self.plan(.failure(error), times: times) { _ in true }
    }

    /// Forgets all faults that have not struck yet.
    public func clear() {
        self.state.withLock { $0.entries.removeAll() }
    }

    /// How many strikes are still to come; faults without a count are not counted.
    public var pendingCount: Int {
        self.state.withLock { state in state.entries.reduce(0) { $0 + ($1.remaining ?? 0) } }
    }

    /// Throws unless every counted fault has struck: a fault that did not shows that the test did not test it.
    public func expectAllStruck(file: String = #fileID, line: Int = #line) throws {
        let pending = self.pendingCount
        guard pending == 0 else { throw TestFailure("\(pending) planned faults did not strike", file: file, line: line) }
    }

    // MARK: Striking

    /// Runs `effect` unless a fault is planned for `operation`, and then does what the fault says. For the fake to call.
    public func perform<Result>(_ operation: Operation, _ effect: () async throws -> Result) async throws -> Result {
        guard let fault = self.take(operation) else { return try await effect() }
        switch fault.kind {
        case .failure(let error):
            throw error
        case .lostReply(let error):
            _ = try await effect()
            throw error
        case .pause(let gate):
            try await gate.pass()
            return try await effect()
        }
    }

    /// The fault planned for `operation`, which is thereby used up; `nil` for none.
    func take(_ operation: Operation) -> Fault? {
        while true {
            // The test's predicates run outside the lock; if another operation was faster at the entry, look again.
            let entries = self.state.withLock { $0.entries }
            guard let entry = entries.first(where: { $0.matches(operation) }) else { return nil }
            if self.use(entry.id) { return entry.fault }
        }
    }

    private func use(_ id: UInt64) -> Bool {
        self.state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return false }
            guard let remaining = state.entries[index].remaining else { return true }
            if remaining > 1 {
                state.entries[index].remaining = remaining - 1
            } else {
                state.entries.remove(at: index)
            }
            return true
        }
    }
}

extension FaultScript where Operation: Equatable {
    /// Plans `fault` for the next times that `operation` is done; with `nil` for all until ``clear()``.
    public func plan(_ fault: Fault, for operation: Operation, times: Int? = 1) {
        self.plan(fault, times: times) { $0 == operation }
    }

    /// Lets `operation` fail with `error` the next times, and not happen.
    public func failNext(_ operation: Operation, times: Int = 1, with error: any Error) {
        self.plan(.failure(error), for: operation, times: times)
    }
}
