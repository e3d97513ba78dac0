#if SQLite
internal import QueueKit
internal import ScaleCore

/// Wakes those who wait for rows: at once for what this process wrote, and by an adaptive look at SQLite's `data_version`, which
/// changes when another connection has committed, for what other processes wrote.
///
/// Nobody looks while nobody waits. While somebody does, the time between looks doubles from the shortest to the longest as long as
/// nothing is found.
final class Changes: Sendable {
    /// What is waited for.
    enum Topic: Hashable, Sendable {
        case messages
        case results
    }

    private struct Waiter {
        let topic: Topic
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var generations: [Topic: UInt64] = [:]
        var waiters: [UInt64: Waiter] = [:]
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
        var poller: Task<Void, Never>?
        var poll: Duration
        var version: Int64?
    }

    private let time: TimeSource
    private let shortest: Duration
    private let longest: Duration
    private let version: @Sendable () async throws -> Int64?
    private let state: Locked<State>

    init(time: TimeSource, shortest: Duration, longest: Duration, version: @escaping @Sendable () async throws -> Int64?) {
        self.time = time
        self.shortest = max(shortest, .milliseconds(1))
        self.longest = max(longest, self.shortest)
        self.version = version
        self.state = Locked(State(poll: self.shortest))
    }

    /// What to hand to ``wait(for:after:until:)``, read before looking into the tables: no change after it is missed.
    func generation(of topic: Topic) -> UInt64 {
        self.state.withLock { $0.generations[topic, default: 0] }
    }

    /// Something has been committed by this process.
    func announce(_ topic: Topic) {
        self.wake([topic])
    }

    /// Returns at the next change, or at `deadline`. Throws `CancellationError` when cancelled.
    func wait(for topic: Topic, after generation: UInt64, until deadline: Instant?) async throws {
        guard let deadline else { return try await self.nextChange(of: topic, after: generation) }
        _ = try await before(deadline, on: self.time) { try await self.nextChange(of: topic, after: generation) }
    }

    private func nextChange(of topic: Topic, after generation: UInt64) async throws {
        let id = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        defer { self.state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<Void, any Error>? = self.state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if state.generations[topic, default: 0] != generation { return .success(()) }
                    state.waiters[id] = Waiter(topic: topic, continuation: continuation)
                    if state.poller == nil { state.poller = self.poller() }
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            self.cancel(id)
        }
    }

    private func cancel(_ id: UInt64) {
        let (waiter, poller): (Waiter?, Task<Void, Never>?) = self.state.withLock { state in
            guard let waiter = state.waiters.removeValue(forKey: id) else {
                state.cancelled.insert(id)
                return (nil, nil)
            }
            return (waiter, Self.idlePoller(&state))
        }
        poller?.cancel()
        waiter?.continuation.resume(throwing: CancellationError())
    }

    private func wake(_ topics: Set<Topic>) {
        let (woken, poller): ([Waiter], Task<Void, Never>?) = self.state.withLock { state in
            for topic in topics { state.generations[topic, default: 0] &+= 1 }
            let woken = state.waiters.filter { topics.contains($0.value.topic) }
            for id in woken.keys { state.waiters[id] = nil }
            return (Array(woken.values), Self.idlePoller(&state))
        }
        poller?.cancel()
        for waiter in woken { waiter.continuation.resume() }
    }

    /// The poller, if it has nobody left to look for.
    private static func idlePoller(_ state: inout State) -> Task<Void, Never>? {
        guard state.waiters.isEmpty else { return nil }
        defer { state.poller = nil }
        return state.poller
    }

    private func poller() -> Task<Void, Never> {
        Task { [weak self, time] in
            while !Task.isCancelled {
                // The first look comes at once: something may have been written since somebody looked into the tables.
                await self?.look()
                guard !Task.isCancelled, let pause = self?.nextPause() else { return }
                do { try await time.sleep(for: pause) } catch { return }
            }
        }
    }

    private func look() async {
        // Whoever cannot read now will look again; the worker's own calls report what is wrong with the database.
        guard let version = try? await self.version() else { return }
        let isChanged = self.state.withLock { state in
            // The known version moves together with a wake only, so that nobody misses what came between.
            let isChanged = state.version != version
            state.version = version
            if isChanged { state.poll = self.shortest }
            return isChanged
        }
        if isChanged { self.wake([.messages, .results]) }
    }

    private func nextPause() -> Duration {
        self.state.withLock { state in
            defer { state.poll = min(state.poll * 2, self.longest) }
            return state.poll
        }
    }
}
#endif
