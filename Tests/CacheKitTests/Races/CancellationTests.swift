import ScaleTesting
import Testing

@testable import CacheKit

/// Several callers wait for one load, and some of them leave.
@Suite struct CancellationTests {
    private struct LoaderFailed: Error, Equatable {}

    private let nodes = Nodes()

    /// Callers of one key, the first of which opens the load; returns when all wait.
    private func callers(
        _ count: Int, key: String = "k", load: @escaping @Sendable () async throws -> String
    ) async throws -> [Task<String, any Error>] {
        let cache = self.nodes.one
        var tasks: [Task<String, any Error>] = []
        for index in 1...count {
            tasks.append(Task { try await cache.value(for: key) { try await load() } })
            try await eventually("caller \(index) waits") { cache.flights.waiterCount == index }
        }
        return tasks
    }

    @Test(arguments: 0..<3) func `a caller that is cancelled harms no other`(leaver: Int) async throws {
        let loads = Tally()
        let loading = Gate("the load")
        let callers = try await self.callers(3) {
            loads.add()
            try await loading.pass()
            return "value"
        }
        callers[leaver].cancel()
        // It gets its error at once, while the load still runs.
        await #expect(throws: CancellationError.self) { try await callers[leaver].value }
        loading.open()
        for (index, caller) in callers.enumerated() where index != leaver { #expect(try await caller.value == "value") }
        #expect(loads.value == 1)
        #expect(try await self.nodes.stored("k") == "value")
    }

    @Test func `a load is cancelled only when all who wait are`() async throws {
        let loading = Gate("the load")
        let sawCancellation = Gate("the loader saw the cancellation")
        let callers = try await self.callers(3) {
            do {
                try await loading.pass()
            } catch {
                try await sawCancellation.pass(isCancellable: false)
                throw error
            }
            return "value"
        }
        for caller in callers.dropLast() { caller.cancel() }
        for caller in callers.dropLast() { await #expect(throws: CancellationError.self) { try await caller.value } }
        #expect(sawCancellation.arrivals == 0)
        callers[2].cancel()
        await #expect(throws: CancellationError.self) { try await callers[2].value }
        try await sawCancellation.waitForArrivals()
        // Who comes now joins no cancelled load, and does not wait until it has ended.
        let cache = self.nodes.other
        let next = try await self.nodes.time.run(upTo: .seconds(1)) { try await cache.lookup(for: "k") { "next" } }
        #expect(next == CacheResult(value: "next", outcome: .loaded))
        sawCancellation.open()
        try await eventually("the cancelled load has ended") { self.nodes.one.flights.count == 0 }
        #expect(try await self.nodes.stored("k") == "next")
    }

    @Test func `a loader's error reaches all who wait and is not remembered`() async throws {
        let loads = Tally()
        let loading = Gate("the load")
        let callers = try await self.callers(3) {
            loads.add()
            try await loading.pass()
            throw LoaderFailed()
        }
        loading.open()
        for caller in callers { await #expect(throws: LoaderFailed()) { try await caller.value } }
        #expect(loads.value == 1)
        // The lease was given back: neither node waits for it.
        #expect(try await self.nodes.other.lookup(for: "k") { "next" } == CacheResult(value: "next", outcome: .loaded))
    }

    @Test func `a caller that was cancelled before it called loads nothing that it could not cancel`() async throws {
        let cache = self.nodes.one
        let start = Gate("start")
        let caller = Task {
            try? await start.pass(isCancellable: false)
            return try await cache.value(for: "k") {
                try Task.checkCancellation()
                return "value"
            }
        }
        caller.cancel()
        start.open()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(try await self.nodes.stored("k") == nil)
    }
}
