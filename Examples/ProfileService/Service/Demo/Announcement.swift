import ScaleCore

/// A value that becomes known once, for all who wait for it: the port of a server that is starting.
final class Announcement<Value: Sendable>: Sendable {
    private enum State {
        case awaited([Int: CheckedContinuation<Value, any Error>], next: Int)
        case known(Value)
    }

    private let state = Locked(State.awaited([:], next: 0))

    /// Makes the value known; a second one is ignored.
    func make(_ value: Value) {
        let waiters: [CheckedContinuation<Value, any Error>] = self.state.withLock { state in
            switch state {
            case .awaited(let waiters, _):
                state = .known(value)
                return Array(waiters.values)
            case .known:
                return []
            }
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// The value, or nil as long as it is not known.
    var known: Value? {
        self.state.withLock { state in
            switch state {
            case .awaited: nil
            case .known(let value): value
            }
        }
    }

    /// The value, as soon as it is known. Throws `CancellationError` when the task is cancelled before.
    func value() async throws -> Value {
        let number = self.state.withLock { state in
            guard case .awaited(let waiters, let next) = state else { return 0 }
            state = .awaited(waiters, next: next + 1)
            return next
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { self.park($0, as: number) }
        } onCancel: {
            self.take(number)?.resume(throwing: CancellationError())
        }
    }

    private func park(_ continuation: CheckedContinuation<Value, any Error>, as number: Int) {
        let result: Result<Value, any Error>? = self.state.withLock { state in
            switch state {
            case .known(let value):
                return .success(value)
            case .awaited(var waiters, let next):
                // The flag is set before the handler above runs: it is seen here, or the handler finds the waiter.
                if Task.isCancelled { return .failure(CancellationError()) }
                waiters[number] = continuation
                state = .awaited(waiters, next: next)
                return nil
            }
        }
        if let result { continuation.resume(with: result) }
    }

    private func take(_ number: Int) -> CheckedContinuation<Value, any Error>? {
        self.state.withLock { state in
            guard case .awaited(var waiters, let next) = state else { return nil }
            let waiter = waiters.removeValue(forKey: number)
            state = .awaited(waiters, next: next)
            return waiter
        }
    }
}
