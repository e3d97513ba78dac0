import ScaleCore

/// ``PendingChanges`` between many who add and one who takes. Adding never waits.
final class ChangeQueue: Sendable {
    private let pending = Locked(PendingChanges())
    private let additions: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init() {
        (self.additions, self.wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func add(_ change: LiveChange) {
        self.pending.withLock { $0.add(change) }
        self.wakeUp.yield()
    }

    func putBack(_ change: LiveChange) {
        self.pending.withLock { $0.putBack(change) }
        self.wakeUp.yield()
    }

    /// The first change, if there is one now.
    func take() -> LiveChange? {
        self.pending.withLock { $0.take() }
    }

    /// The first change, as soon as there is one; nil when the task is cancelled. For one task only.
    func next() async -> LiveChange? {
        var additions = self.additions.makeAsyncIterator()
        while !Task.isCancelled {
            if let change = self.take() { return change }
            guard await additions.next(isolation: #isolation) != nil else { return nil }
        }
        return nil
    }
}
