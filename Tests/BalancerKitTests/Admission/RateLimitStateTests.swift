import BalancerKit
import ScaleCore
import Testing

/// The engine alone, with instants as arguments.
struct RateLimitStateTests {
    private final class Limits {
        var state: RateLimitState
        var now = Instant(nanoseconds: 0)

        init(_ limits: RateLimit...) throws {
            self.state = try RateLimitState(limits)
        }

        func admit(_ key: String = "k") -> RateLimitVerdict { self.state.admit(key: key, at: self.now) }
        func admit(_ count: Int) -> [RateLimitVerdict] { (0..<count).map { _ in self.admit() } }
        func advance(_ duration: Duration) { self.now = self.now.advanced(by: duration) }
    }

    private static func delays(_ milliseconds: Int..., rejects: Int) -> [RateLimitVerdict] {
        milliseconds.map { $0 == 0 ? .pass : .delay(.milliseconds($0)) } + Array(repeating: .reject(limit: 0), count: rejects)
    }

    @Test func `two per second with a burst of 3 and no delay: of 7 at once 4 pass`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(2), burst: 3, delay: .never))
        #expect(limits.admit(7) == Self.delays(0, 0, 0, 0, rejects: 3))
    }

    @Test func `two per second with a burst of 5, delayed above 2: of 9 at once 3 pass, 3 wait, 3 are rejected`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(2), burst: 5, delay: .above(2)))
        #expect(limits.admit(9) == Self.delays(0, 0, 0, 500, 1000, 1500, rejects: 3))
    }

    @Test func `two per second with a burst of 2: of 5 at once 1 passes, 2 wait, 2 are rejected`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(2), burst: 2))
        #expect(limits.admit(5) == Self.delays(0, 500, 1000, rejects: 2))
    }

    @Test func `without a burst each request waits for the rate`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(10)))
        #expect(limits.admit(2) == Self.delays(0, rejects: 1))
        limits.advance(.milliseconds(99))
        #expect(limits.admit() == .reject(limit: 0))
        limits.advance(.milliseconds(1))
        #expect(limits.admit() == .pass)
    }

    @Test func `a rejected request does not count`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1), burst: 1, delay: .never))
        #expect(limits.admit(2) == Self.delays(0, 0, rejects: 0))
        for _ in 0..<100 {
            #expect(limits.admit() == .reject(limit: 0))
        }
        limits.advance(.seconds(1))
        #expect(limits.admit() == .pass)
        #expect(limits.admit() == .reject(limit: 0))
    }

    @Test func `excess drains in whole milliseconds of the rate`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(3), burst: 10))
        #expect(limits.admit() == .pass)
        limits.advance(.milliseconds(100))
        // 3000 * 100 / 1000 = 300 drained of 1000: 700 thousandths at 3000 per second are 233 ms.
        #expect(limits.admit() == .delay(.milliseconds(233)))
        // Within one millisecond nothing drains, and the last accounting stays where it is.
        limits.advance(.microseconds(999))
        #expect(limits.admit() == .delay(.milliseconds(566)))
    }

    @Test func `one per minute is 16 thousandths per second, as nginx rounds`() throws {
        let limits = try Limits(RateLimit(rate: .perMinute(1), burst: 1))
        #expect(limits.admit(2) == [.pass, .delay(.milliseconds(62_500))])
    }

    @Test func `keys are limited one by one`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1)))
        #expect(limits.admit("a") == .pass)
        #expect(limits.admit("b") == .pass)
        #expect(limits.admit("a") == .reject(limit: 0))
        #expect(limits.state.keyCount(ofLimit: 0) == 2)
    }

    @Test func `an empty key and one above 65535 bytes are not limited`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1)))
        let longest = String(repeating: "k", count: 65_535)
        #expect([limits.admit(longest), limits.admit(longest)] == [.pass, .reject(limit: 0)])
        for key in ["", longest + "k"] {
            #expect([limits.admit(key), limits.admit(key)] == [.pass, .pass])
        }
        #expect(limits.state.keyCount(ofLimit: 0) == 1)
    }

    @Test func `the first limit that rejects decides, and then none counts the request`() throws {
        let limits = try Limits(
            RateLimit(rate: .perSecond(1), burst: 5, delay: .never), RateLimit(rate: .perSecond(1), burst: 1, delay: .never))
        #expect(limits.admit(2) == [.pass, .pass])
        for _ in 0..<10 {
            #expect(limits.admit() == .reject(limit: 1))
        }
        // The first limit has counted two: four more fit once the second has room.
        limits.advance(.seconds(1))
        #expect(limits.admit() == .pass)
        let first = try RateLimitState([RateLimit(rate: .perSecond(1), burst: 5)])
        #expect(first.keyCount(ofLimit: 0) == 0)
        #expect(limits.state.admit(keys: ["k"], at: limits.now) == .pass)
        #expect((0..<4).map { _ in limits.state.admit(keys: ["k"], at: limits.now) } == [.pass, .pass, .pass, .reject(limit: 0)])
    }

    @Test func `of several delays the longest applies, in any order`() throws {
        let slow = RateLimit(rate: .perSecond(2), burst: 9)
        let fast = RateLimit(rate: .perSecond(10), burst: 9)
        for limits in [try Limits(slow, fast), try Limits(fast, slow)] {
            #expect(limits.admit(3) == [.pass, .delay(.milliseconds(500)), .delay(.seconds(1))])
        }
    }

    @Test func `each limit can have a key of its own, and a limit without one does not apply`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1)), RateLimit(rate: .perSecond(1), burst: 1, delay: .never))
        #expect(limits.state.admit(keys: ["alice", "all"], at: limits.now) == .pass)
        #expect(limits.state.admit(keys: ["bob", "all"], at: limits.now) == .pass)
        #expect(limits.state.admit(keys: ["carol", "all"], at: limits.now) == .reject(limit: 1))
        #expect(limits.state.admit(keys: ["carol", ""], at: limits.now) == .pass)
        #expect(limits.state.admit(keys: ["carol"], at: limits.now) == .reject(limit: 0))
        #expect(limits.state.admit(keys: [], at: limits.now) == .pass)
    }

    @Test func `a full table that may forget forgets the key that was quiet the longest`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1), maximumKeys: 2, whenFull: .evictOldest))
        #expect([limits.admit("a"), limits.admit("b"), limits.admit("a")] == [.pass, .pass, .reject(limit: 0)])
        #expect(limits.admit("c") == .pass)
        #expect(limits.admit("a") == .reject(limit: 0))
        #expect(limits.admit("b") == .pass)
        #expect(limits.state.keyCount(ofLimit: 0) == 2)
    }

    @Test func `a full table rejects newcomers until a key is idle for a minute`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1), maximumKeys: 2))
        #expect([limits.admit("a"), limits.admit("b"), limits.admit("c")] == [.pass, .pass, .reject(limit: 0)])
        limits.advance(.milliseconds(59_999))
        #expect([limits.admit("c"), limits.admit("b")] == [.reject(limit: 0), .pass])
        limits.advance(.milliseconds(1))
        #expect([limits.admit("c"), limits.admit("b")] == [.pass, .reject(limit: 0)])
        #expect(limits.admit("d") == .reject(limit: 0))
    }

    @Test func `a key is not idle while it has excess, however long it was quiet`() throws {
        let limits = try Limits(RateLimit(rate: .perMinute(1), burst: 100, maximumKeys: 1))
        #expect(limits.admit(3).last == .delay(.milliseconds(125_000)))
        limits.advance(.seconds(61))
        #expect(limits.admit("new") == .reject(limit: 0))
        limits.advance(.seconds(65))
        #expect(limits.admit("new") == .pass)
    }

    @Test func `idle keys are forgotten two at a time, without a table being full`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1)))
        for key in 0..<10 { _ = limits.admit("\(key)") }
        limits.advance(.seconds(60))
        for (index, count) in [9, 8, 7, 6].enumerated() {
            #expect(limits.admit("new \(index)") == .pass)
            #expect(limits.state.keyCount(ofLimit: 0) == count)
        }
    }

    @Test func `time at its ends and time that runs backwards do not trap`() throws {
        let limits = try Limits(RateLimit(rate: .perSecond(1_000_000_000), burst: 1_000_000_000, delay: .above(1_000_000_000)))
        for nanoseconds in [0, Int64.max, Int64.min, -1, Int64.max, 5, Int64.min] {
            limits.now = Instant(nanoseconds: nanoseconds)
            #expect(limits.admit() == .pass)
        }
    }

    @Test(arguments: [
        (RateLimit(rate: .perSecond(0)), "rate"), (RateLimit(rate: .perSecond(-1)), "rate"), (RateLimit(rate: .perSecond(.max)), "rate"),
        (RateLimit(rate: .perMinute(0)), "rate"), (RateLimit(rate: .perSecond(1), burst: -1), "burst"),
        (RateLimit(rate: .perSecond(1), burst: .max), "burst"), (RateLimit(rate: .perSecond(1), delay: .above(-1)), "delay"),
        (RateLimit(rate: .perSecond(1), maximumKeys: 0), "maximumKeys"), (RateLimit(rate: .perSecond(1), maximumKeys: .max), "maximumKeys"),
    ])
    func `a setting that cannot work is refused by name`(limit: RateLimit, name: String) throws {
        let error = try #require(throws: BalancerError.self) { try RateLimitState([limit]) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.place == name)
    }

    /// nginx's loop in its own words, with one zone, checked step by step over random schedules.
    @Test(arguments: 0..<20) func `any schedule gets the verdicts of nginx's arithmetic`(seed: Int) throws {
        var random = FastRandom(seed: UInt64(seed))
        let (rate, burst) = (Int64.random(in: 1...50, using: &random), Int64.random(in: 0...10, using: &random))
        let delay = Int64.random(in: 0...10, using: &random)
        var state = try RateLimitState([RateLimit(rate: .perSecond(Int(rate)), burst: Int(burst), delay: .above(Int(delay)))])
        var known: [String: (excess: Int64, last: Int64)] = [:]
        var millisecond: Int64 = 1
        for _ in 0..<500 {
            millisecond += [0, 0, 0, 1, 7, 50, 400, 3000][Int.random(in: 0..<8, using: &random)]
            let key = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
            let verdict = state.admit(key: key, at: Instant(nanoseconds: millisecond * 1_000_000))
            guard let entry = known[key] else {
                known[key] = (0, millisecond)
                #expect(verdict == .pass)
                continue
            }
            let elapsed = millisecond - entry.last
            let excess = max(0, entry.excess - rate * 1000 * elapsed / 1000 + 1000)
            guard excess <= burst * 1000 else {
                #expect(verdict == .reject(limit: 0), "seed \(seed)")
                continue
            }
            known[key] = (excess, elapsed == 0 ? entry.last : millisecond)
            let wait = excess <= delay * 1000 ? 0 : (excess - delay * 1000) * 1000 / (rate * 1000)
            #expect(verdict == (wait == 0 ? .pass : .delay(.milliseconds(wait))), "seed \(seed)")
        }
    }
}
