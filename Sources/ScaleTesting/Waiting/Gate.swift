/// A place where the code under test stops until the test lets it go on: the way to force one interleaving out of many.
///
/// ```swift
/// let loading = Gate("loading")
/// async let value = cache.value(for: "a") { try await loading.pass(); return "old" }
/// try await loading.waitForArrivals(1)      // the loader has started
/// try await cache.invalidate("a")
/// loading.open()                            // and only now returns
/// ```
///
/// Every wait is bounded, so that a test whose code never arrives, or a gate that nobody opens, fails with a sentence and does not hang.
public final class Gate: Sendable {
    private struct State {
        var arrivals = 0
        var isOpen = false
        /// How many more may pass a gate that is not open.
        var credit = 0
        /// Those that stand before the gate, by number of arrival, first come first.
        var waiting: [Int] = []
    }

    /// In failures.
    public let name: String
    private let monitor = Monitor(State())

    public init(_ name: String = "gate") {
        self.name = name
    }

    /// Announces the arrival and waits until the gate lets this task through; tasks pass in the order of their arrival.
    ///
    /// - Parameter isCancellable: with `false`, stands there even when the task is cancelled, as work does that ignores cancellation.
    /// - Throws: `CancellationError`; ``TestFailure`` when `limit` passes.
    public func pass(
        within limit: Duration = .seconds(30), isCancellable: Bool = true, file: String = #fileID, line: Int = #line
    ) async throws {
        let number = self.monitor.update { state in
            state.arrivals += 1
            if state.isOpen { return state.arrivals }
            if state.credit > 0 {
                state.credit -= 1
            } else {
                state.waiting.append(state.arrivals)
            }
            return state.arrivals
        }
        do {
            let wake = try await self.monitor.wait(within: limit, isCancellable: isCancellable) { !$0.waiting.contains(number) }
            if wake == .ready { return }
        } catch {
            self.leave(number)
            throw error
        }
        self.leave(number)
        throw TestFailure("the gate '\(self.name)' was not opened within \(limit)", file: file, line: line)
    }

    /// Lets everybody through, now and from now on.
    public func open() {
        self.monitor.update { state in
            state.isOpen = true
            state.waiting.removeAll()
        }
    }

    /// Lets `count` tasks through: those that wait longest, or the next ones to arrive.
    public func letThrough(_ count: Int = 1) {
        self.monitor.update { state in
            let passing = min(max(count, 0), state.waiting.count)
            state.waiting.removeFirst(passing)
            state.credit += max(count, 0) - passing
        }
    }

    /// Waits until `count` tasks in all have arrived at the gate, passed or not.
    public func waitForArrivals(
        _ count: Int = 1, within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line
    ) async throws {
        guard try await self.monitor.wait(within: limit, until: { $0.arrivals >= count }) == .ready else {
            throw TestFailure(
                "\(self.arrivals) of \(count) tasks arrived at the gate '\(self.name)' within \(limit)", file: file, line: line)
        }
    }

    /// How many tasks have arrived so far.
    public var arrivals: Int {
        self.monitor.withValue { $0.arrivals }
    }

    private func leave(_ number: Int) {
        self.monitor.withValue { state in state.waiting.removeAll { $0 == number } }
    }
}
