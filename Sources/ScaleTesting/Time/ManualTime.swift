public import ScaleCore

/// Time that stands still until a test moves it.
///
/// Sleepers wake in the order of their deadlines, those of one deadline in the order in which they fell asleep. Time stops at each
/// deadline on the way, so that whoever wakes at 10 s and sleeps 5 s more can be woken again at 15 s by the same advance.
///
/// Nothing in Swift tells when the tasks that were woken have done what they had to do. There are three ways to move on:
///
/// - ``advance(by:sleepers:within:file:line:)`` waits before each step until that many tasks sleep: exact, and the one to prefer;
/// - ``run(upTo:within:file:line:_:)`` runs a piece of code and moves time for it, whenever it has come to rest;
/// - ``advance(by:)`` gives the other tasks turns until they seem to have come to rest: enough for one that wakes, records and ends.
public final class ManualTime: TimeSource.Backend {
    private struct Sleeper {
        let id: UInt64
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = Instant(nanoseconds: 0)
        /// UTC at the origin of the timeline.
        var utcOrigin: UTCTime
        var nextID: UInt64 = 0
        /// By deadline; those of one deadline in the order in which they came.
        var sleepers: [Sleeper] = []
        /// Counts the looks at this time: it stands still when nobody who watches it does anything.
        var activity: UInt64 = 0
    }

    private let monitor: Monitor<State>

    /// - Parameter utc: what UTC reads at the start; by default 2026-01-01T00:00:00Z.
    public init(utc: UTCTime = UTCTime(millisecondsSinceEpoch: 1_767_225_600_000)) {
        self.monitor = Monitor(State(utcOrigin: utc))
    }

    /// This time, as the parts of ScaleKit take it.
    public var source: TimeSource { TimeSource(self) }

    public func now() -> Instant {
        self.monitor.withValue { state in
            state.activity &+= 1
            return state.now
        }
    }

    public func utcNow() -> UTCTime {
        self.monitor.withValue { state in
            state.activity &+= 1
            return state.utcOrigin.advanced(by: .nanoseconds(state.now.nanoseconds))
        }
    }

    /// Moves UTC alone, as when the machine's clock is set; monotonic time and sleepers are unaffected.
    public func shiftUTC(by duration: Duration) {
        self.monitor.withValue { $0.utcOrigin = $0.utcOrigin.advanced(by: duration) }
    }

    // MARK: Sleeping

    public func sleep(until deadline: Instant) async throws {
        let id = self.monitor.withValue { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.park(Sleeper(id: id, deadline: deadline, continuation: continuation))
            }
        } onCancel: {
            let sleeper: Sleeper? = self.monitor.update { state in
                state.activity &+= 1
                return state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    private func park(_ sleeper: Sleeper) {
        enum Decision { case parked, due, cancelled }
        let decision: Decision = self.monitor.update { state in
            state.activity &+= 1
            // A task's flag is set before its cancellation handler runs: it is seen here, or the handler finds the sleeper.
            if Task.isCancelled { return .cancelled }
            if sleeper.deadline <= state.now { return .due }
            let index = state.sleepers.firstIndex { sleeper.deadline < $0.deadline } ?? state.sleepers.endIndex
            state.sleepers.insert(sleeper, at: index)
            return .parked
        }
        switch decision {
        case .parked: break
        case .due: sleeper.continuation.resume()
        case .cancelled: sleeper.continuation.resume(throwing: CancellationError())
        }
    }

    /// How many tasks sleep on this time now.
    public var sleeperCount: Int {
        self.monitor.withValue { $0.sleepers.count }
    }

    /// The earliest deadline that somebody sleeps for.
    public var nextDeadline: Instant? {
        self.monitor.withValue { $0.sleepers.first?.deadline }
    }

    /// Waits until at least `count` tasks sleep on this time: the way to know that the code under test has reached its wait.
    ///
    /// - Throws: ``TestFailure`` when `limit` of the machine's own time passes; `CancellationError`.
    public func waitForSleepers(
        _ count: Int, within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line
    ) async throws {
        guard try await self.monitor.wait(within: limit, until: { $0.sleepers.count >= count }) == .ready else {
            throw TestFailure("\(self.sleeperCount) of \(count) tasks sleep after \(limit)", file: file, line: line)
        }
    }

    // MARK: Moving

    /// Moves time forward, waking whoever is due, and gives the other tasks turns after each step until they seem to rest.
    ///
    /// When it returns, everybody whose deadline has passed is awake; what they do next may still be under way.
    public func advance(by duration: Duration) async {
        let target = self.monitor.withValue { $0.now.advanced(by: duration) }
        while self.step(to: target) { await self.settle() }
        await self.settle()
    }

    /// Moves time forward deadline by deadline, and waits before each step, and at the end, until `sleepers` tasks sleep.
    ///
    /// For code that goes back to sleep whenever it has been woken, it leaves nothing to chance: a worker that polls every 10 s polls
    /// six times in `advance(by: .seconds(60), sleepers: 1)`.
    ///
    /// - Throws: ``TestFailure`` when they do not sleep within `limit` of the machine's own time; `CancellationError`.
    public func advance(
        by duration: Duration, sleepers: Int, within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line
    ) async throws {
        let target = self.monitor.withValue { $0.now.advanced(by: duration) }
        repeat {
            try await self.waitForSleepers(sleepers, within: limit, file: file, line: line)
        } while self.step(to: target)
    }

    /// Runs `body` and moves time to the next deadline whenever everybody seems to rest, until `body` returns.
    ///
    /// - Parameters:
    ///   - limit: how much of this time may pass.
    ///   - patience: how much of the machine's own time `body` may take between two sleeps on this one.
    /// - Throws: ``TestFailure`` when one of the two passes; what `body` throws.
    public func run<Result: Sendable>(
        upTo limit: Duration = .seconds(24 * 60 * 60), within patience: Duration = .seconds(30), file: String = #fileID,
        line: Int = #line, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let target = self.monitor.withValue { $0.now.advanced(by: limit) }
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    guard try await self.monitor.wait(within: patience, until: { !$0.sleepers.isEmpty }) == .ready else {
                        throw TestFailure("neither at its end nor asleep after \(patience)", file: file, line: line)
                    }
                    await self.settle()
                    try Task.checkCancellation()
                    guard let deadline = self.nextDeadline else { continue }
                    guard deadline <= target else {
                        throw TestFailure("still running after \(limit) of manual time", file: file, line: line)
                    }
                    _ = self.step(to: deadline)
                }
            }
            defer { group.cancelAll() }
            for try await result in group {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    /// Moves to the first deadline not after `target` and wakes its first sleeper; without one, moves to `target` and says no.
    private func step(to target: Instant) -> Bool {
        let due: Sleeper? = self.monitor.update { state in
            guard let first = state.sleepers.first, first.deadline <= target else {
                state.now = max(state.now, target)
                return nil
            }
            state.now = max(state.now, first.deadline)
            return state.sleepers.removeFirst()
        }
        due?.continuation.resume()
        return due != nil
    }

    /// Gives the other tasks turns until none has looked at this time for a while. A guess: a task that computes looks at nothing.
    private func settle() async {
        var (quiet, activity) = (0, self.monitor.withValue { $0.activity })
        for _ in 0..<1000 where quiet < 50 {
            await Task.yield()
            let latest = self.monitor.withValue { $0.activity }
            quiet = latest == activity ? quiet + 1 : 0
            activity = latest
        }
    }
}
