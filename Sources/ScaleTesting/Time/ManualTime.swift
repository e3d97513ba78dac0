public import ScaleCore

/// Time that stands still until a test moves it.
///
/// Sleepers wake in the order of their deadlines, and ``advance(by:)`` stops at each deadline on the way, so that whoever wakes
/// at 10 s and sleeps 5 s more is woken again by the same `advance(by: .seconds(20))` — provided it has gone back to sleep in
/// the meantime. To know that, wait for it: ``waitForSleepers(_:)``.
public final class ManualTime: TimeSource.Backend {
    private struct Sleeper {
        let id: UInt64
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct Watcher {
        let count: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now = Instant(nanoseconds: 0)
        var utcOffset: Int64
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<UInt64> = []
        var watchers: [Watcher] = []
    }

    private let state: Locked<State>

    /// - Parameter utc: what UTC reads at the start; by default 2026-01-01T00:00:00Z.
    public init(utc: UTCTime = UTCTime(millisecondsSinceEpoch: 1_767_225_600_000)) {
        self.state = Locked(State(utcOffset: utc.nanosecondsSinceEpoch))
    }

    /// This time, as the parts of ScaleKit take it.
    public var source: TimeSource { TimeSource(self) }

    public func now() -> Instant {
        self.state.withLock { $0.now }
    }

    public func utcNow() -> UTCTime {
        self.state.withLock { UTCTime(nanosecondsSinceEpoch: $0.now.nanoseconds &+ $0.utcOffset) }
    }

    /// Moves UTC alone, as when the machine's clock is set; monotonic time and sleepers are unaffected.
    public func shiftUTC(by duration: Duration) {
        self.state.withLock { $0.utcOffset &+= duration.wholeNanoseconds }
    }

    public func sleep(until deadline: Instant) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Outcome { case parked([Watcher]), due, cancelled }
                let outcome: Outcome = self.state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .cancelled }
                    if deadline <= state.now { return .due }
                    state.sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
                    return .parked(Self.takeSatisfied(&state))
                }
                switch outcome {
                case .parked(let watchers): watchers.forEach { $0.continuation.resume() }
                case .due: continuation.resume()
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            let sleeper: Sleeper? = self.state.withLock { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
        self.state.withLock { _ = $0.cancelled.remove(id) }
    }

    /// How many tasks sleep on this time now.
    public var sleeperCount: Int {
        self.state.withLock { $0.sleepers.count }
    }

    /// The earliest deadline that somebody sleeps for.
    public var nextDeadline: Instant? {
        self.state.withLock { state in state.sleepers.map(\.deadline).min() }
    }

    /// Moves time forward and wakes everybody whose deadline is passed, earliest first.
    ///
    /// Between two deadlines the other tasks get turns to run, but how many they need is theirs to say: a test that depends on
    /// a woken task's next sleep advances step by step with ``waitForSleepers(_:)`` between.
    public func advance(by duration: Duration) async {
        let target = self.now().advanced(by: duration)
        while true {
            let due: Sleeper? = self.state.withLock { state in
                guard let index = state.sleepers.indices.min(by: { state.sleepers[$0].deadline < state.sleepers[$1].deadline }),
                    state.sleepers[index].deadline <= target
                else {
                    state.now = max(state.now, target)
                    return nil
                }
                state.now = max(state.now, state.sleepers[index].deadline)
                return state.sleepers.remove(at: index)
            }
            guard let due else { break }
            due.continuation.resume()
            for _ in 0..<20 { await Task.yield() }
        }
        for _ in 0..<20 { await Task.yield() }
    }

    /// Waits until at least `count` tasks sleep on this time: the way to know that the code under test has reached its wait.
    public func waitForSleepers(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isSatisfied = self.state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.watchers.append(Watcher(count: count, continuation: continuation))
                return false
            }
            if isSatisfied { continuation.resume() }
        }
    }

    private static func takeSatisfied(_ state: inout State) -> [Watcher] {
        let satisfied = state.watchers.filter { state.sleepers.count >= $0.count }
        state.watchers.removeAll { state.sleepers.count >= $0.count }
        return satisfied
    }
}
