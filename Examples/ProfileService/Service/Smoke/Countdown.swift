import ScaleCore

/// Lets one task wait until others have counted to a number.
final class Countdown: Sendable {
    private struct State {
        var remaining: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Locked<State>

    init(_ count: Int) {
        self.state = Locked(State(remaining: count))
    }

    func count() {
        let waiter: CheckedContinuation<Void, Never>? = self.state.withLock { state in
            state.remaining -= 1
            guard state.remaining == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func reached() async {
        await withCheckedContinuation { continuation in
            let isReached = self.state.withLock { state in
                guard state.remaining > 0 else { return true }
                state.waiter = continuation
                return false
            }
            if isReached { continuation.resume() }
        }
    }
}
