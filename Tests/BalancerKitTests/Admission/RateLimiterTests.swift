import BalancerKit
import ScaleCore
import ScaleTesting
import Testing

struct RateLimiterTests {
    @Test func `a turn comes at once, later, or not at all`() async throws {
        let time = ManualTime()
        let limiter = try RateLimiter(RateLimit(rate: .perSecond(2), burst: 2), time: time.source)
        try await limiter.waitForTurn(key: "k")
        async let second: Void = limiter.waitForTurn(key: "k")
        try await time.waitForSleepers(1)
        #expect(time.nextDeadline == Instant(nanoseconds: 500_000_000))
        async let third: Void = limiter.waitForTurn(key: "k")
        try await time.waitForSleepers(2)
        await #expect(throws: RateLimitExceeded(limiter: "limiter", limit: 0)) { try await limiter.waitForTurn(key: "k") }
        await time.advance(by: .milliseconds(499))
        #expect(time.sleeperCount == 2)
        await time.advance(by: .milliseconds(1))
        try await second
        #expect(time.sleeperCount == 1)
        await time.advance(by: .milliseconds(500))
        try await third
    }

    @Test func `a cancelled wait ends at once and still counts`() async throws {
        let time = ManualTime()
        let limiter = try RateLimiter(RateLimit(rate: .perSecond(1), burst: 1), time: time.source)
        #expect(limiter.admit(key: "k") == .pass)
        let waiter = Task { try await limiter.waitForTurn(key: "k") }
        try await time.waitForSleepers(1)
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        #expect(limiter.admit(key: "k") == .reject(limit: 0))
    }

    @Test func `limits with keys of their own hold together`() async throws {
        let time = ManualTime()
        let limiter = try RateLimiter(
            limits: [RateLimit(rate: .perSecond(1)), RateLimit(rate: .perSecond(1), burst: 1, delay: .never)], name: "api",
            time: time.source)
        try await limiter.waitForTurn(keys: ["alice", "all"])
        try await limiter.waitForTurn(keys: ["bob", "all"])
        await #expect(throws: RateLimitExceeded(limiter: "api", limit: 1)) { try await limiter.waitForTurn(keys: ["carol", "all"]) }
        #expect(limiter.admit(keys: ["alice"]) == .reject(limit: 0))
    }

    @Test func `of many callers at once exactly as many pass as the limit allows`() async throws {
        let time = ManualTime()
        let limiter = try RateLimiter(RateLimit(rate: .perSecond(1), burst: 99, delay: .never), time: time.source)
        let passed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<50).filter { _ in limiter.admit(key: "k") == .pass }.count }
            }
            return await group.reduce(0, +)
        }
        #expect(passed == 100)
    }

    @Test func `the error holds no key`() async throws {
        let limiter = try RateLimiter(RateLimit(rate: .perSecond(1)), time: ManualTime().source)
        _ = limiter.admit(key: "session-secret")
        let error = await #expect(throws: RateLimitExceeded.self) { try await limiter.waitForTurn(key: "session-secret") }
        #expect(error.map { "\($0)".contains("session-secret") } == false)
    }
}
