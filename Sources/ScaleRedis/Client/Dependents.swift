import ScaleCore

/// Connections that live beside a client's own and end with it.
final class Dependents: Sendable {
    private struct State {
        var closers: [UInt64: @Sendable () -> Void] = [:]
        var next: UInt64 = 0
        var isShutDown = false
    }

    private let state = Locked(State())

    /// Registers something to be closed at shutdown. Throws when the client is shut down already.
    func add(_ close: @escaping @Sendable () -> Void) throws(RedisError) -> UInt64 {
        let id: UInt64? = self.state.withLock { state in
            guard !state.isShutDown else { return nil }
            state.next += 1
            state.closers[state.next] = close
            return state.next
        }
        guard let id else { throw .clientShutDown }
        return id
    }

    func remove(_ id: UInt64) {
        _ = self.state.withLock { $0.closers.removeValue(forKey: id) }
    }

    func shutDown() {
        let closers = self.state.withLock { state in
            state.isShutDown = true
            defer { state.closers = [:] }
            return Array(state.closers.values)
        }
        for close in closers { close() }
    }
}
