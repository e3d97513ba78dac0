import ScaleCore

/// A value that is known at some time, or never. The first result counts.
final class PendingResult<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, ProxyError>?
        var waiters: [CheckedContinuation<Result<Value, ProxyError>, Never>] = []
    }

    private let state = Locked(State())

    func value() async throws(ProxyError) -> Value {
        let result = await withCheckedContinuation { continuation in
            let known: Result<Value, ProxyError>? = self.state.withLock { state in
                if state.result == nil { state.waiters.append(continuation) }
                return state.result
            }
            if let known { continuation.resume(returning: known) }
        }
        return try result.get()
    }

    func resolve(_ result: Result<Value, ProxyError>) {
        let waiters = self.state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Result<Value, ProxyError>, Never>]() }
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }
}
