#if SQLite
internal import QueueKit
internal import ScaleCore

/// Wakes those who wait for rows: at once for what this process wrote, and by an adaptive look at SQLite's `data_version`, which
/// changes when another connection has committed, for what other processes wrote.
///
/// Nobody looks while nobody waits. While somebody does, the time between looks doubles from the shortest to the longest as long as
/// nothing is found.
final class Changes: Sendable {
    private struct State {
        var watches = Watches()
        var known = KnownJobs()
        var poller: Task<Void, Never>?
        var poll: Duration
        var version: Int64?
    }

    private let time: TimeSource
    private let remembers: Bool
    private let shortest: Duration
    private let longest: Duration
    private let version: @Sendable () async throws -> Int64?
    private let state: Locked<State>
    private let alarm: Locked<Alarm?> = Locked(nil)

    /// - Parameter remembers: whether all that is written to the tables is either told here or seen in their version.
    init(
        time: TimeSource, remembers: Bool, shortest: Duration, longest: Duration, version: @escaping @Sendable () async throws -> Int64?
    ) {
        self.time = time
        self.remembers = remembers
        self.shortest = max(shortest, .milliseconds(1))
        self.longest = max(longest, self.shortest)
        self.version = version
        self.state = Locked(State(poll: self.shortest))
        let alarm = Alarm(
            time,
            nextDeadline: { [weak self] in self?.state.withLock { $0.watches.earliestDeadline } },
            fire: { [weak self] in self?.deadlinesHavePassed() })
        self.alarm.withLock { $0 = alarm }
    }

    deinit {
        self.state.withLock { $0.poller }?.cancel()
    }

    // MARK: Those who wait

    func watch(_ subject: Watches.Subject) -> Watches.ID {
        self.state.withLock { $0.watches.begin(subject) }
    }

    func unwatch(_ id: Watches.ID) {
        self.state.withLock { $0.watches.end(id) }
    }

    /// The watch's owner reads the tables now, and needs not be told of what was written before.
    func isLooking(_ id: Watches.ID) {
        self.state.withLock { $0.watches.isLooking(id) }
    }

    /// Returns at the next change since the watch began or signalled last, or at `deadline`. Throws `CancellationError` when cancelled.
    ///
    /// - Parameter request: what messages are waited for, which then may come with the signal.
    func wait(for id: Watches.ID, _ request: ReceiveRequest? = nil, until deadline: Instant?) async throws -> Watches.Signal {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<Watches.Signal, any Error>? = self.state.withLock { state in
                    let answer = state.watches.wait(id, for: request, until: deadline, continuation)
                    if answer == nil, state.poller == nil { state.poller = self.poller() }
                    return answer
                }
                if let answer { continuation.resume(with: answer) } else if deadline != nil { self.alarm.withLock { $0 }?.refresh() }
            }
        } onCancel: {
            self.state.withLock { $0.watches.cancel(id) }?.resume(throwing: CancellationError())
        }
    }

    private func deadlinesHavePassed() {
        let now = self.time.now()
        for late in self.state.withLock({ $0.watches.takeLate(at: now) }) { late.resume(returning: .deadline) }
    }

    /// Takes over to tell one who waits for messages.
    func claim() -> Watches.Claim? {
        self.state.withLock { $0.watches.claim() }
    }

    // MARK: What this process has committed

    func announceMessages() {
        for woken in self.state.withLock({ $0.watches.signal(.messages, .changed) }) { woken.resume(returning: .changed) }
    }

    /// A job has been enqueued that was not known. To be told by the writer, before anybody can have the job.
    func isPending(_ id: JobID) {
        guard self.remembers else { return }
        self.state.withLock { $0.known.isPending(id) }
    }

    /// A status has been recorded, which has so many bytes in the table. To be told by the writer.
    func recorded(_ status: JobStatus, bytes: Int) {
        let woken = self.state.withLock { state in
            if self.remembers { state.known.recorded(status, bytes: bytes) }
            return status.state.isFinal ? state.watches.signal(.end(of: status.id), .ended(status)) : []
        }
        for waiter in woken { waiter.resume(returning: .ended(status)) }
    }

    func forget(_ id: JobID) {
        self.state.withLock { $0.known.forget(id) }
    }

    /// Rows have been removed.
    func forgetAll() {
        self.state.withLock { $0.known.forgetAll() }
    }

    func knowledge(of id: JobID) -> KnownJobs.Knowledge? {
        self.state.withLock { $0.known[id] }
    }

    // MARK: What others have committed

    private func poller() -> Task<Void, Never> {
        Task { [weak self, time] in
            while !Task.isCancelled {
                // The first look comes at once: something may have been written since somebody looked into the tables.
                await self?.look()
                guard let pause = self?.nextPause() else { return }
                do { try await time.sleep(for: pause) } catch { return }
            }
        }
    }

    private func look() async {
        // Whoever cannot read now will look again; the worker's own calls report what is wrong with the database.
        guard let version = try? await self.version() else { return }
        let woken: [Watches.Continuation] = self.state.withLock { state in
            // The known version moves together with a wake only, so that nobody misses what came between.
            guard state.version != version else { return [] }
            state.version = version
            state.poll = self.shortest
            state.known.forgetAll()
            return state.watches.signalAll()
        }
        for waiter in woken { waiter.resume(returning: .changed) }
    }

    /// How long to sleep until the next look; `nil` when nobody waits any more, with which the poller has ended.
    private func nextPause() -> Duration? {
        self.state.withLock { state in
            guard state.watches.waiting > 0 else {
                state.poller = nil
                return nil
            }
            defer { state.poll = min(state.poll * 2, self.longest) }
            return state.poll
        }
    }
}
#endif
