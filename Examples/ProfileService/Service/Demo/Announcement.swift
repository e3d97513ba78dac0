import ScaleCore

/// A value that becomes known once, for all who wait for it: the port of a server that is starting.
final class Announcement<Value: Sendable>: Sendable {
    private enum State {
        case awaited([CheckedContinuation<Value, Never>])
        case known(Value)
    }

    private let state = Locked(State.awaited([]))

    /// Makes the value known; a second one is ignored.
    func make(_ value: Value) {
        let waiters: [CheckedContinuation<Value, Never>] = self.state.withLock { state in
            switch state {
            case .awaited(let waiters):
                state = .known(value)
                return waiters
            case .known:
                return []
            }
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let known: Value? = self.state.withLock { state in
                switch state {
                case .awaited(let waiters):
                    state = .awaited(waiters + [continuation])
                    return nil
                case .known(let value):
                    return value
                }
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
