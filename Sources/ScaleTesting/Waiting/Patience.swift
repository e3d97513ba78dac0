package import ScaleCore

/// How long a test goes on waiting: as much of the machine's time as its limit says, of which only counts what the waiting task could use.
///
/// All tasks share as many threads as the machine has processors. While as many tasks compute, no other goes on: neither the one that waits
/// nor what it waits for. So of the time between two looks no more counts than ``longestStep``, and after such a standstill what is waited
/// for still has its turns.
package struct Patience: Sendable {
    /// Between the looks of a task that is not held up lies less.
    package static let longestStep: Duration = .seconds(1)

    private var rest: Duration
    private var last: Instant

    package init(_ limit: Duration, at now: Instant = TimeSource.system.now()) {
        self.rest = limit
        self.last = now
    }

    /// What is left of it now; zero or less when it is over.
    package mutating func left(at now: Instant = TimeSource.system.now()) -> Duration {
        self.rest -= min(self.last.duration(to: now), Self.longestStep)
        self.last = now
        return self.rest
    }

    /// Returns when it is over. Throws `CancellationError`.
    package mutating func pass() async throws {
        try Task.checkCancellation()
        while case let left = self.left(), left > .zero { try await TimeSource.system.sleep(for: min(left, Self.longestStep)) }
    }
}
