import ScaleCore

/// A locked value whose changes tasks can wait for: C. A. R. Hoare's monitor, for tasks, with a bound on every wait.
package final class Monitor<Value: Sendable>: Sendable {
    package enum Wake: Sendable {
        case ready
        /// The limit passed first.
        case expired
    }

    private typealias Continuation = CheckedContinuation<Wake, any Error>

    private struct Waiter {
        let id: UInt64
        let isReady: @Sendable (Value) -> Bool
        let continuation: Continuation
    }

    private struct State {
        var value: Value
        var nextID: UInt64 = 0
        var waiters: [Waiter] = []
    }

    private let state: Locked<State>

    package init(_ value: Value) {
        self.state = Locked(State(value: value))
    }

    /// Reads, or changes what nobody waits for.
    package func withValue<Result: Sendable>(_ body: @Sendable (inout Value) -> Result) -> Result {
        self.state.withLock { body(&$0.value) }
    }

    /// Changes the value and wakes whoever waits for what it now is.
    package func update<Result: Sendable>(_ body: @Sendable (inout Value) -> Result) -> Result {
        let (result, ready) = self.state.withLock { state in
            let result = body(&state.value)
            let value = state.value
            let ready = state.waiters.filter { $0.isReady(value) }
            if !ready.isEmpty { state.waiters.removeAll { $0.isReady(value) } }
            return (result, ready)
        }
        for waiter in ready { waiter.continuation.resume(returning: .ready) }
        return result
    }

    /// Waits until `isReady` says yes to the value, for as long as `limit` of the machine's own time.
    ///
    /// - Parameters:
    ///   - isCancellable: whether cancellation of the task ends the wait with `CancellationError`.
    ///   - isReady: is called under the lock, so it is ours and not a user's.
    package func wait(
        within limit: Duration, isCancellable: Bool = true, until isReady: @escaping @Sendable (Value) -> Bool
    ) async throws -> Wake {
        let id: UInt64? = self.state.withLock { state in
            if isReady(state.value) { return nil }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return .ready }
        guard isCancellable else { return try await self.park(id, limit: limit, isCancellable: false, until: isReady) }
        return try await withTaskCancellationHandler {
            try await self.park(id, limit: limit, isCancellable: true, until: isReady)
        } onCancel: {
            self.remove(id)?.resume(throwing: CancellationError())
        }
    }

    private func park(
        _ id: UInt64, limit: Duration, isCancellable: Bool, until isReady: @escaping @Sendable (Value) -> Bool
    ) async throws -> Wake {
        var timer: Task<Void, any Error>?
        defer { timer?.cancel() }
        return try await withCheckedThrowingContinuation { (continuation: Continuation) in
            let result: Result<Wake, any Error>? = self.state.withLock { state in
                if isReady(state.value) { return .success(.ready) }
                // The flag is set before the handler above runs: it is seen here, or the handler finds the waiter.
                if isCancellable, Task.isCancelled { return .failure(CancellationError()) }
                state.waiters.append(Waiter(id: id, isReady: isReady, continuation: continuation))
                return nil
            }
            if let result { return continuation.resume(with: result) }
            // Started only now: a timer that fires before the waiter is parked would find nobody to wake.
            timer = Task {
                var patience = Patience(limit)
                try await patience.pass()
                self.remove(id)?.resume(returning: .expired)
            }
        }
    }

    private func remove(_ id: UInt64) -> Continuation? {
        self.state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index).continuation
        }
    }
}
