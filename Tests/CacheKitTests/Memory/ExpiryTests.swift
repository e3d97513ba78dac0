import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// Lives of entries: each its own, on a clock that only the test moves.
@Suite struct ExpiryTests {
    private let time = ManualTime()

    private func makeCache(_ change: (inout CacheConfiguration) -> Void = { _ in }) -> Cache {
        var configuration = CacheConfiguration()
        configuration.time = self.time.source
        change(&configuration)
        return Cache(store: MemoryStore(time: self.time.source), configuration: configuration)
    }

    @Test func `each entry ends at its own time`() async throws {
        let cache = self.makeCache()
        for seconds in 1...4 { try await cache.set(seconds, for: "\(seconds)", expiresIn: .seconds(seconds)) }
        try await cache.set(0, for: "for ever", expiresIn: nil)
        for passed in 1...4 {
            await self.time.advance(by: .seconds(1))
            let live = (1...4).filter { cache.cached(for: "\($0)", as: Int.self) != nil }
            #expect(live == Array((1...4).dropFirst(passed)))
        }
        await self.time.advance(by: .seconds(86_400 * 365 * 100))
        #expect(cache.cached(for: "for ever", as: Int.self) == 0)
    }

    @Test func `without a word of the call entries live as configured`() async throws {
        let cache = self.makeCache { $0.expiry = .seconds(7) }
        _ = try await cache.value(for: "k") { 1 }
        await self.time.advance(by: .seconds(7) - .nanoseconds(1))
        #expect(try await cache.contains("k"))
        await self.time.advance(by: .nanoseconds(1))
        #expect(try await cache.contains("k") == false)
    }

    @Test(arguments: [Duration.zero, .nanoseconds(-1), .seconds(Int64.min)])
    func `a life of zero or less stores nothing, and removes what a write would replace`(life: Duration) async throws {
        let cache = self.makeCache()
        #expect(try await cache.lookup(for: "k", expiresIn: life) { 1 } == CacheResult(value: 1, outcome: .loaded))
        #expect(try await cache.contains("k") == false)
        #expect(try await cache.add(1, for: "k", expiresIn: life))
        #expect(try await cache.contains("k") == false)
        try await cache.set(1, for: "k")
        #expect(try await cache.add(2, for: "k", expiresIn: life) == false)
        #expect(try await cache.get("k", as: Int.self) == 1)
        #expect(try await cache.replace(2, for: "k", expiresIn: life))
        #expect(try await cache.contains("k") == false)
        #expect(try await cache.replace(2, for: "k", expiresIn: life) == false)
        try await cache.set(1, for: "k")
        try await cache.set(2, for: "k", expiresIn: life)
        #expect(try await cache.contains("k") == false)
        try await cache.set(1, for: "k")
        #expect(try await cache.touch("k", expiresIn: life))
        #expect(try await cache.contains("k") == false)
        try await cache.setCounter("n", to: 1)
        try await cache.setCounter("n", to: 2, expiresIn: life)
        #expect(try await cache.counter("n") == nil)
        let error = await #expect(throws: CacheError.self) { try await cache.increment("n", initial: 0, expiresIn: life) }
        #expect(error?.code == .missingCounter)
    }

    @Test(arguments: [Duration.seconds(Int64.max), .seconds(Int64.max) * 10, .seconds(86_400 * 365 * 300)])
    func `a life beyond the end of time is as good as for ever`(life: Duration) async throws {
        let cache = self.makeCache()
        try await cache.set(1, for: "set", expiresIn: life)
        _ = try await cache.value(for: "load", expiresIn: life) { 1 }
        _ = try await cache.increment("n", initial: 0, expiresIn: life)
        #expect(try await cache.touch("set", expiresIn: life))
        await self.time.advance(by: .seconds(86_400 * 365 * 100))
        #expect(try await cache.get("set", as: Int.self) == 1)
        #expect(cache.cached(for: "load", as: Int.self) == 1)
        #expect(try await cache.counter("n") == 1)
    }

    @Test func `settings beyond all bounds do not trap`() async throws {
        let cache = self.makeCache {
            $0.expiry = .seconds(Int64.max)
            $0.loadTimeLimit = .seconds(Int64.max)
            $0.invalidationTimeLimit = .seconds(Int64.max)
            $0.coherenceBound = .seconds(Int64.max)
            $0.pollInterval = .seconds(Int64.max) ... .seconds(Int64.max)
        }
        #expect(try await cache.value(for: "k") { 1 } == 1)
        try await cache.invalidate(key: "k")
        let negative = self.makeCache {
            $0.loadTimeLimit = .seconds(Int64.min)
            $0.invalidationTimeLimit = .seconds(Int64.min)
            $0.coherenceBound = .seconds(Int64.min)
            $0.pollInterval = .seconds(Int64.min) ... .seconds(-1)
        }
        // No load is quick enough to be stored.
        #expect(try await negative.value(for: "k") { 1 } == 1)
        try await negative.invalidate(key: "k")
    }

    @Test func `pauses between looks grow to the longest, and never trap`() {
        var random = SeededGenerator(seed: 1)
        for poll in [Duration.milliseconds(5) ... .milliseconds(50), .zero ... .zero, .seconds(Int64.max) ... .seconds(Int64.max)] {
            var lookup = Lookup(fence: nil, limit: .seconds(Int64.max), poll: poll)
            let holder = LeaseToken.random(using: &random)
            for _ in 0..<20 {
                let now = Instant(nanoseconds: 0)
                guard case .wait(let pause) = lookup.wasHeld(by: holder, remaining: .seconds(1), own: nil, at: now, random: &random) else {
                    Issue.record("no wait")
                    return
                }
                #expect(pause > .zero && pause <= max(min(poll.upperBound, .seconds(3_600)), .milliseconds(1)))
            }
        }
    }

    @Test func `the age of a loaded value counts from the load's begin`() async throws {
        let cache = self.makeCache()
        let time = self.time
        _ = try await cache.value(for: "k", expiresIn: .seconds(10)) {
            await time.advance(by: .seconds(4))
            return 1
        }
        await self.time.advance(by: .seconds(6) - .nanoseconds(1))
        #expect(cache.cached(for: "k", as: Int.self) == 1)
        await self.time.advance(by: .nanoseconds(1))
        #expect(cache.cached(for: "k", as: Int.self) == nil)
    }

    @Test func `a value that is older than its life when it comes is returned and not stored`() async throws {
        let cache = self.makeCache()
        let time = self.time
        let result = try await cache.lookup(for: "k", expiresIn: .seconds(3)) {
            await time.advance(by: .seconds(3))
            return 1
        }
        #expect(result == CacheResult(value: 1, outcome: .loaded))
        #expect(try await cache.contains("k") == false)
    }

    @Test func `a clock that is set neither ends an entry nor revives one`() async throws {
        let cache = self.makeCache()
        try await cache.set(1, for: "k", expiresIn: .seconds(60))
        self.time.shiftUTC(by: .seconds(900))
        #expect(try await cache.get("k", as: Int.self) == 1)
        self.time.shiftUTC(by: .seconds(-3_600))
        await self.time.advance(by: .seconds(60))
        #expect(try await cache.get("k", as: Int.self) == nil)
    }

    @Test func `touch counts from now, and incrementing leaves the life as it is`() async throws {
        let cache = self.makeCache()
        try await cache.set(1, for: "k", expiresIn: .seconds(10))
        _ = try await cache.increment("n", initial: 0, expiresIn: .seconds(10))
        await self.time.advance(by: .seconds(9))
        #expect(try await cache.touch("k", expiresIn: .seconds(10)))
        _ = try await cache.increment("n", initial: 0, expiresIn: .seconds(10))
        await self.time.advance(by: .seconds(9))
        #expect(try await cache.get("k", as: Int.self) == 1)
        #expect(try await cache.counter("n") == nil)
        #expect(try await cache.touch("k", expiresIn: nil))
        #expect(try await cache.touch("none") == false)
        await self.time.advance(by: .seconds(1_000_000))
        #expect(try await cache.get("k", as: Int.self) == 1)
    }
}
