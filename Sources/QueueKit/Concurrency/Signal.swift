internal import ScaleCore

/// Wakes the one task that waits for something to change. A change while nobody waits is remembered until the next wait.
package final class Signal: Sendable {
    private enum State {
        case idle
        case raised
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Locked(State.idle)

    package init() {}

    package func raise() {
        let waiter: CheckedContinuation<Void, Never>? = self.state.withLock { state in
            switch state {
            case .idle, .raised:
                state = .raised
                return nil
            case .waiting(let continuation):
                state = .idle
                return continuation
            }
        }
        waiter?.resume()
    }

    /// Returns when the signal has been raised since the last return. For one task at a time: a second waiter releases the first.
    package func wait() async {
        await withCheckedContinuation { continuation in
            let resumed: CheckedContinuation<Void, Never>? = self.state.withLock { state in
                switch state {
                case .idle:
                    state = .waiting(continuation)
                    return nil
                case .raised:
                    state = .idle
                    return continuation
                case .waiting(let earlier):
                    state = .waiting(continuation)
                    return earlier
                }
            }
            resumed?.resume()
        }
    }
}
