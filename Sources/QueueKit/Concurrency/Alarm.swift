package import ScaleCore

/// The one timer of a part that has deadlines: it sleeps for the earliest one, and does not exist while there is none.
///
/// A deadline that moves to a later time leaves the timer as it is: it looks again when it wakes. So what ends long before its deadline, as
/// almost everything does, costs no timer of its own.
///
/// The owner keeps its deadlines under a lock of its own and calls ``refresh()`` after every change that ``isConcerned(by:_:)`` names. The alarm asks for the
/// deadline under *its* lock, so that two refreshes at once cannot leave the older answer armed; the owner never calls it while
/// holding its own lock.
package final class Alarm: Sendable {
    private struct State {
        var deadline: Instant?
        var task: Task<Void, Never>?
        var generation: UInt64 = 0
    }

    private let time: TimeSource
    private let nextDeadline: @Sendable () -> Instant?
    private let fire: @Sendable () -> Void
    private let state = Locked(State())

    /// - Parameters:
    ///   - nextDeadline: the earliest deadline of the owner now, `nil` when there is none. Takes the owner's lock.
    ///   - fire: called outside of all locks when it has passed. The alarm is disarmed then and refreshes afterwards.
    package init(
        _ time: TimeSource, nextDeadline: @escaping @Sendable () -> Instant?, fire: @escaping @Sendable () -> Void
    ) {
        self.time = time
        self.nextDeadline = nextDeadline
        self.fire = fire
    }

    deinit {
        self.state.withLock { $0.task }?.cancel()
    }

    /// Whether a change of the owner's earliest deadline asks for a ``refresh()``: one that moves to a later time does not.
    package static func isConcerned(by old: Instant?, _ new: Instant?) -> Bool {
        switch (old, new) {
        case (nil, nil): false
        case (let old?, let new?): new < old
        case (nil, _?), (_?, nil): true
        }
    }

    /// Arms, re-arms or disarms according to the owner's earliest deadline.
    package func refresh() {
        let obsolete: Task<Void, Never>? = self.state.withLock { state in
            let deadline = self.nextDeadline()
            if let deadline, let armed = state.deadline, armed <= deadline { return nil }
            guard deadline != state.deadline else { return nil }
            let obsolete = state.task
            state.deadline = deadline
            state.generation &+= 1
            state.task = deadline.map { self.timer(until: $0, generation: state.generation) }
            return obsolete
        }
        obsolete?.cancel()
    }

    private func timer(until deadline: Instant, generation: UInt64) -> Task<Void, Never> {
        Task { [time, weak self] in
            do { try await time.sleep(until: deadline) } catch { return }
            self?.passed(generation)
        }
    }

    private func passed(_ generation: UInt64) {
        let isCurrent = self.state.withLock { state in
            guard state.generation == generation else { return false }
            state.deadline = nil
            state.task = nil
            return true
        }
        guard isCurrent else { return }
        if let deadline = self.nextDeadline(), deadline <= self.time.now() { self.fire() }
        self.refresh()
    }
}
