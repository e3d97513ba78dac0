import CacheKit
import ScaleCore

/// Reads that wait for one handle.
///
/// A caller appends itself to the list; the first since the list was last found empty begins to serve. That takes the whole list at once and
/// asks for all its keys in one multi-get, while the next ones gather.
final class PendingReads: Sendable {
    typealias Outcomes = [Result<StoredItem?, CacheError>]

    /// One caller.
    struct Waiter: Sendable {
        let id: UInt64
        let names: [String]
        private let continuation: UnsafeContinuation<Outcomes, any Error>

        init(id: UInt64, names: [String], _ continuation: UnsafeContinuation<Outcomes, any Error>) {
            self.id = id
            self.names = names
            self.continuation = continuation
        }

        func resume(returning outcomes: Outcomes) { self.continuation.resume(returning: outcomes) }

        func cancel() { self.continuation.resume(throwing: CancellationError()) }
    }

    /// What is asked for together: different names, and for each waiter the positions of its own among them.
    struct Batch: Sendable {
        var waiters: [Waiter]
        var names: [String] = []
        var positions: [[Int]] = []

        init(_ waiters: [Waiter]) {
            self.waiters = waiters
            var known: [String: Int] = [:]
            for waiter in waiters {
                self.positions.append(
                    waiter.names.map { name in
                        if let position = known[name] { return position }
                        known[name] = self.names.count
                        self.names.append(name)
                        return self.names.count - 1
                    })
            }
        }
    }

    private struct State {
        var waiters: [Waiter] = []
        /// Somebody serves, or has been told to.
        var isServed = false
        var nextID: UInt64 = 0
    }

    private let state = Locked(State())
    private let handle: MemcachedHandle

    init(_ handle: MemcachedHandle) {
        self.handle = handle
    }

    /// The items at `names`, in their order.
    ///
    /// A caller that is cancelled while it waits in the list leaves it; once it has been asked for, it waits for the answer, which comes
    /// within the time-outs.
    func read(_ names: [String]) async throws -> Outcomes {
        try Task.checkCancellation()
        let id = self.state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let begins = self.state.withLock { state in
                    state.waiters.append(Waiter(id: id, names: names, continuation))
                    defer { state.isServed = true }
                    return !state.isServed
                }
                if begins { Task.detached { await self.serve() } }
            }
        } onCancel: {
            self.leave(id)
        }
    }

    /// Answers what waits, together, until nothing waits any more.
    ///
    /// Callers that were answered together come back together, as a rule, and one question for all of them costs little more than the one
    /// for whoever is first: so this stands behind them in the queue for the processor before it asks again. They are resumed in one go, since
    /// each that finds no other waiting wakes a thread.
    private func serve() async {
        while let batch = self.take() {
            let outcomes = await self.handle.read(batch.names)
            let answers = batch.positions.map { positions in positions.map { outcomes[$0] } }
            for (waiter, answer) in zip(batch.waiters, answers) { waiter.resume(returning: answer) }
            await Task.yield()
        }
    }

    /// All that wait; `nil` when nobody does, after which the next one begins to serve again.
    private func take() -> Batch? {
        let waiters = self.state.withLock { state in
            let waiters = state.waiters
            state.waiters = []
            if waiters.isEmpty { state.isServed = false }
            return waiters
        }
        return waiters.isEmpty ? nil : Batch(waiters)
    }

    /// How many callers wait in the list, for tests.
    var count: Int { self.state.withLock { $0.waiters.count } }

    private func leave(_ id: UInt64) {
        let waiter = self.state.withLock { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index)
        }
        waiter?.cancel()
    }
}
