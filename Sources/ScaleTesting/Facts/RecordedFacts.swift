import ScaleCore

/// What a fake has seen, in order, as values that a test can look at and wait for.
///
/// ```swift
/// let sent = RecordedFacts<Email>()
/// let mail = try await sent.first("a mail to user 7") { $0.recipient == 7 }
/// ```
public final class RecordedFacts<Fact: Sendable>: Sendable {
    private let monitor = Monitor<[Fact]>([])

    public init() {}

    /// Appends a fact and wakes whoever waits for it.
    public func record(_ fact: Fact) {
        self.monitor.update { $0.append(fact) }
    }

    /// All facts so far.
    public var all: [Fact] {
        self.monitor.withValue { $0 }
    }

    /// How many facts there are so far.
    public var count: Int {
        self.monitor.withValue { $0.count }
    }

    /// The first fact, recorded already or still to come, that `matches`.
    ///
    /// - Parameter what: names the fact in the failure.
    /// - Throws: ``TestFailure`` when `limit` passes; `CancellationError`.
    public func first(
        _ what: @autoclosure () -> String = "the fact", within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line,
        where matches: (Fact) throws -> Bool
    ) async throws -> Fact {
        var patience = Patience(limit)
        var seen = 0
        while true {
            // Looked at outside the monitor's lock: `matches` is the test's.
            let facts = self.all
            if let fact = try facts[seen...].first(where: matches) { return fact }
            seen = facts.count
            let count = seen
            guard try await self.monitor.wait(within: patience.left(), until: { $0.count > count }) == .ready else {
                throw TestFailure("not within \(limit): \(what()), among \(count) facts", file: file, line: line)
            }
        }
    }

    /// Waits until there are at least `count` facts and returns all.
    public func waitForCount(
        _ count: Int, within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line
    ) async throws -> [Fact] {
        guard try await self.monitor.wait(within: limit, until: { $0.count >= count }) == .ready else {
            throw TestFailure("\(self.count) of \(count) facts within \(limit)", file: file, line: line)
        }
        return self.all
    }
}
