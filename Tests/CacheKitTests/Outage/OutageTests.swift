import CacheKitTesting
import Logging
import ScaleTesting
import Testing

@testable import CacheKit

/// What a cache does while its store cannot be reached.
@Suite struct OutageTests {
    private struct LoaderFailed: Error, Equatable {}

    private let store = FakeCacheStore()
    private let cache: Cache

    init() { self.cache = self.store.cache() }

    /// From now on every verb fails.
    private func takeDown() {
        self.store.faults.plan(.failure(FakeCacheStore.down), times: nil) { _ in true }
    }

    private func expectUnavailable(
        _ code: CacheError.Code = .storeUnavailable, _ body: @Sendable () async throws -> Void,
        _ location: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: CacheError.self, sourceLocation: location) { try await body() }
        #expect(error?.code == code, sourceLocation: location)
    }

    // MARK: Words

    @Test func `one failure a second is logged, with the number of those that were not`() async throws {
        let lines = RecordedFacts<String>()
        var configuration = CacheConfiguration()
        configuration.time = self.store.time.source
        configuration.logger = Logger(label: "test") { _ in LineRecorder(lines: lines) }
        let cache = Cache(store: self.store, namespace: "", configuration: configuration)
        self.takeDown()
        for _ in 0..<100 { #expect(try await cache.get("k", as: Int.self) == nil) }
        #expect(lines.all == ["the cache's store failed"])
        await self.store.time.advance(by: .seconds(1))
        _ = try await cache.get("k", as: Int.self)
        #expect(lines.all == ["the cache's store failed", "the cache's store failed omitted=99"])
        await self.store.time.advance(by: .seconds(1))
        _ = try await cache.get("k", as: Int.self)
        #expect(lines.all.last == "the cache's store failed")
    }

    // MARK: Loads

    @Test func `200 callers of a node still share one load, which is not stored`() async throws {
        self.takeDown()
        let (cache, loads, loading) = (self.cache, Tally(), Gate("the load"))
        let outcomes = try await withThrowingTaskGroup(of: CacheResult<Int>.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await cache.lookup(for: "k") {
                        try await loading.pass()
                        return loads.add(returning: 7)
                    }
                }
            }
            try await loading.waitForArrivals()
            let flight = cache.outage.flight(for: cache.key("k"), as: Int.self, at: self.store.time.now())
            try await eventually("all wait") { cache.outage.waiterCount(of: flight) == 200 }
            loading.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(loads.value == 1)
        #expect(outcomes.count { $0.outcome == .loaded } == 1)
        #expect(outcomes.allSatisfy { $0.value == 7 })
        self.store.faults.clear()
        #expect(try await cache.get("k", as: Int.self) == nil)
        #expect(!self.store.facts.all.contains { [.begin, .commit, .write].contains($0.verb) })
    }

    @Test func `callers whose lease was not granted for want of a store share one load too`() async throws {
        self.store.faults.plan(.failure(FakeCacheStore.down), for: .begin, times: nil)
        let (cache, loads, loading) = (self.cache, Tally(), Gate("the load"))
        let tasks = (0..<20).map { _ in
            Task {
                try await cache.value(for: "k") {
                    try await loading.pass()
                    return loads.add(returning: 7)
                }
            }
        }
        try await loading.waitForArrivals()
        let flight = cache.outage.flight(for: cache.key("k"), as: Int.self, at: self.store.time.now())
        try await eventually("all wait") { cache.outage.waiterCount(of: flight) == 20 }
        loading.open()
        for task in tasks { #expect(try await task.value == 7) }
        #expect(loads.value == 1)
    }

    @Test func `a loader's error reaches its callers and is not remembered`() async throws {
        self.takeDown()
        await #expect(throws: LoaderFailed()) { try await self.cache.value(for: "k") { () -> Int in throw LoaderFailed() } }
        #expect(try await self.cache.value(for: "k") { 1 } == 1)
        #expect(self.cache.outage.count == 0)
    }

    @Test func `a load is not joined after an invalidation on this node, nor when it is old, nor by a read with a fence`() async throws {
        let fence = try await self.cache.invalidate(key: "k")
        self.takeDown()
        let (cache, loading) = (self.cache, Gate("the old load"))
        let old = Task {
            try await cache.value(for: "k") {
                try await loading.pass()
                return "old"
            }
        }
        try await loading.waitForArrivals()
        #expect(try await cache.value(for: "k", fence: fence) { "fenced" } == "fenced")
        await self.store.time.advance(by: cache.configuration.coherenceBound + .nanoseconds(1))
        #expect(try await cache.lookup(for: "k") { "next" } == CacheResult(value: "next", outcome: .loaded))

        let second = Gate("a young load")
        let young = Task {
            try await cache.value(for: "k") {
                try await second.pass()
                return "young"
            }
        }
        try await second.waitForArrivals()
        await self.expectUnavailable(.notConfirmed) { try await cache.invalidate(tag: "t") }
        #expect(try await cache.lookup(for: "k") { "new" } == CacheResult(value: "new", outcome: .loaded))
        loading.open()
        second.open()
        #expect(try await [old.value, young.value] == ["old", "young"])
    }

    @Test func `a load is cancelled when all who wait are, and one that asks for its own key gets an error`() async throws {
        self.takeDown()
        let (cache, loading) = (self.cache, Gate("the load"))
        let caller = Task {
            try await cache.value(for: "k") {
                try await loading.pass()
                return 1
            }
        }
        try await loading.waitForArrivals()
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        await self.expectUnavailable(.recursiveLoad) { _ = try await cache.value(for: "r") { try await cache.value(for: "r") { 1 } } }
    }

    @Test func `a read that fails once is a miss whose value is not written`() async throws {
        self.store.faults.failNext(.read, with: FakeCacheStore.down)
        #expect(try await self.cache.value(for: "k") { "value" } == "value")
        #expect(!self.store.facts.all.contains { [.begin, .commit, .write].contains($0.verb) })
        #expect(try await self.cache.lookup(for: "k") { "next" } == CacheResult(value: "next", outcome: .loaded))
    }

    @Test(arguments: [FakeCacheStore.Verb.begin, .commit]) func `a reply that is lost costs the fill, not the value`(
        verb: FakeCacheStore.Verb
    ) async throws {
        self.store.faults.plan(.lostReply(FakeCacheStore.down), for: verb)
        #expect(try await self.cache.value(for: "k") { "value" } == "value")
        try self.store.faults.expectAllStruck()
        // A lease whose begin was not answered is given back, so nobody waits for it.
        _ = try await self.store.facts.first("the lease is given back") { $0.verb == .abandon }
        let (cache, time) = (self.cache, self.store.time)
        let next = try await time.run(upTo: .seconds(1)) { try await cache.value(for: "k") { "next" } }
        #expect(next == (verb == .commit ? "value" : "next"))
    }

    // MARK: Reads

    @Test func `get finds nothing, contains says no, and a value that is there is found again afterwards`() async throws {
        try await self.cache.set("value", for: "k")
        self.takeDown()
        #expect(try await self.cache.get("k", as: String.self) == nil)
        #expect(try await self.cache.getMany(["k", "l"], as: String.self).isEmpty)
        #expect(try await self.cache.contains("k") == false)
        self.store.faults.clear()
        #expect(try await self.cache.get("k", as: String.self) == "value")
    }

    // MARK: Writes

    @Test func `writes and counters throw that the store is unavailable`() async throws {
        self.takeDown()
        let cache = self.cache
        await self.expectUnavailable { try await cache.set(1, for: "k") }
        await self.expectUnavailable { try await cache.setMany(["k": 1]) }
        await self.expectUnavailable { _ = try await cache.add(1, for: "k") }
        await self.expectUnavailable { _ = try await cache.replace(1, for: "k") }
        await self.expectUnavailable { _ = try await cache.touch("k") }
        await self.expectUnavailable { _ = try await cache.increment("k", initial: 0) }
        await self.expectUnavailable { _ = try await cache.counter("k") }
        await self.expectUnavailable { try await cache.setCounter("k", to: 1) }
    }

    @Test func `an update writes to the source of truth, and says that the cache could not be told`() async throws {
        try await self.cache.set("old", for: "k")
        self.takeDown()
        let (cache, writes) = (self.cache, Tally())
        await self.expectUnavailable(.notConfirmed) { _ = try await cache.update("k") { writes.add(returning: "new") } }
        #expect(writes.value == 1)
        self.store.faults.clear()
        #expect(try await cache.value(for: "k") { "new" } == "new")
    }

    // MARK: Invalidations

    @Test func `an invalidation that is not confirmed throws, and is delivered before the next read`() async throws {
        _ = try await self.cache.value(for: "k") { "old" }
        self.store.faults.failNext(.remove, with: FakeCacheStore.down)
        let cache = self.cache
        await self.expectUnavailable(.notConfirmed) { try await cache.invalidate(key: "k") }
        #expect(try await cache.value(for: "k") { "new" } == "new")
    }

    @Test func `deletions stay journaled, and nothing is read from the store until they are delivered`() async throws {
        try await self.cache.setMany(["k": "old", "l": "kept"])
        self.takeDown()
        let cache = self.cache
        await self.expectUnavailable(.notConfirmed) { try await cache.delete("k") }
        await self.expectUnavailable(.notConfirmed) { try await cache.deleteMany(["k"]) }
        self.store.faults.clear()
        // The store answers reads again, but not yet removals.
        self.store.faults.plan(.failure(FakeCacheStore.down), for: .remove, times: nil)
        #expect(try await cache.get("k", as: String.self) == nil)
        #expect(try await cache.get("l", as: String.self) == nil)
        self.store.faults.clear()
        #expect(try await cache.get("l", as: String.self) == "kept")
        #expect(try await cache.get("k", as: String.self) == nil)
    }

    @Test func `what is owed is delivered as time passes, without a read`() async throws {
        let other = self.store.cache()
        try await other.set("old", for: "k", tags: ["t"])
        self.store.faults.failNext(.invalidate, times: 3, with: FakeCacheStore.down)
        let cache = self.cache
        await self.expectUnavailable(.notConfirmed) { try await cache.invalidate(tag: "t") }
        // As often as there is a rest: the next one begins when the machine gets to it.
        try await eventually("it is delivered") {
            await self.store.time.advance(by: .seconds(5))
            return !cache.invalidator.isOwing
        }
        #expect(try await other.get("k", as: String.self) == nil)
    }

    @Test func `an invalidation whose caller is cancelled is owed and carried out`() async throws {
        var configuration = CacheConfiguration()
        configuration.time = self.store.time.source
        let cache = Cache(store: self.store, configuration: configuration)
        try await cache.set("old", for: "k")
        let removal = Gate("the removal")
        self.store.faults.plan(.pause(at: removal), for: .remove, times: nil)
        let caller = Task { try await cache.invalidate(key: "k") }
        try await removal.waitForArrivals()
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(cache.invalidator.isOwing)
        removal.open()
        #expect(try await cache.get("k", as: String.self) == nil)
    }

    @Test func `an invalidation without an answer throws when its time is over`() async throws {
        var configuration = CacheConfiguration()
        configuration.time = self.store.time.source
        configuration.invalidationTimeLimit = .seconds(2)
        let cache = Cache(store: self.store, configuration: configuration)
        let removal = Gate("the removal")
        self.store.faults.plan(.pause(at: removal), for: .remove)
        let caller = Task { try await cache.invalidate(key: "k") }
        try await removal.waitForArrivals()
        try await self.store.time.waitForSleepers(1)
        await self.store.time.advance(by: .seconds(2))
        let error = await #expect(throws: CacheError.self) { try await caller.value }
        #expect(error?.code == .notConfirmed)
        removal.open()
    }

    // MARK: Writes after an outage

    @Test func `a removal that is still owed is delivered before a later write, which stays`() async throws {
        self.takeDown()
        let (cache, store) = (self.cache, self.store)
        let removing = Task { try await cache.deleteMany(["counter", "other", "value"]) }
        _ = try? await store.time.run { try await removing.value }
        #expect(cache.invalidator.isOwing)
        store.faults.clear()
        try await cache.setCounter("counter", to: 5)
        #expect(!cache.invalidator.isOwing)
        #expect(try await cache.increment("other", initial: 1) == 2)
        try await cache.set("kept", for: "value")
        await store.time.advance(by: .seconds(10))
        #expect(try await cache.counter("counter") == 5)
        #expect(try await cache.counter("other") == 2)
        #expect(try await cache.get("value", as: String.self) == "kept")
    }
}

/// Records what is logged, with how much was left out.
private struct LineRecorder: LogHandler {
    let lines: RecordedFacts<String>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.lines.record("\(event.message)" + (event.metadata?["omitted"].map { " omitted=\($0)" } ?? ""))
    }
}
