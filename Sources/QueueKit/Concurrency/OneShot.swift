internal import ScaleCore

/// A value that is set once, by whoever comes first, and awaited by one task.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, Never>)
        case set(Value)
    }

    private let state = Locked(State.empty)

    /// Sets the value; `false` when there was one already, which stays.
    @discardableResult func set(_ value: Value) -> Bool {
        let (isFirst, waiter): (Bool, CheckedContinuation<Value, Never>?) = self.state.withLock { state in
            switch state {
            case .empty:
                state = .set(value)
                return (true, nil)
            case .awaited(let continuation):
                state = .set(value)
                return (true, continuation)
            case .set:
                return (false, nil)
            }
        }
        waiter?.resume(returning: value)
        return isFirst
    }

    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let present: Value? = self.state.withLock { state in
                if case .set(let value) = state { return value }
                state = .awaited(continuation)
                return nil
            }
            if let present { continuation.resume(returning: present) }
        }
    }
}
