import ScaleCore

/// Carries changes to every instance that listens: publish and subscribe, which keeps nothing for the absent.
protocol LiveBus: Sendable {
    func publish(_ change: LiveChange) async throws

    /// Calls `heard` for each change, in order, until the task is cancelled or the connection cannot be had.
    ///
    /// It calls with ``LiveChange/anything`` whenever changes may have been missed, and once at the beginning, for those from before.
    func listen(_ heard: (LiveChange) async -> Void) async throws
}

/// The bus of instances within one process.
final class MemoryLiveBus: LiveBus {
    private struct State {
        var queues: [Int: ChangeQueue] = [:]
        var next = 0
    }

    private let state = Locked(State())

    func publish(_ change: LiveChange) async {
        for queue in self.state.withLock({ Array($0.queues.values) }) { queue.add(change) }
    }

    func listen(_ heard: (LiveChange) async -> Void) async {
        let queue = ChangeQueue()
        let number = self.state.withLock { state in
            state.next += 1
            state.queues[state.next] = queue
            return state.next
        }
        defer { self.state.withLock { $0.queues[number] = nil } }
        await heard(.anything)
        while let change = await queue.next() { await heard(change) }
    }
}
