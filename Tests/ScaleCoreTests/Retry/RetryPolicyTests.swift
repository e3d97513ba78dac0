import ScaleCore
import ScaleTesting
import Testing

struct RetryPolicyTests {
    /// A generator that gives always the same word: 1 for the lowest draw (at 0 the standard library draws again), `.max` for the highest.
    struct Constant: RandomNumberGenerator {
        var word: UInt64

        func next() -> UInt64 { self.word }
    }

    private static func bounds(_ policy: RetryPolicy, afterFailures failures: Int) -> [Duration] {
        var (low, high) = (Constant(word: 1), Constant(word: .max))
        return [policy.delay(afterFailures: failures, using: &low), policy.delay(afterFailures: failures, using: &high)]
    }

    @Test func `ceilings grow exponentially up to the cap`() {
        let policy = RetryPolicy(baseDelay: .milliseconds(100), maximumDelay: .milliseconds(500))
        let ceilings = (0...5).map { policy.maximumDelay(afterFailures: $0) }
        #expect(ceilings == [0, 100, 200, 400, 500, 500].map { .milliseconds($0) })
    }

    @Test(arguments: [
        (1.0, [100, 100, 100]), (1.5, [100, 150, 225]), (3.0, [100, 300, 900]), (0.5, [100, 100, 100]), (.nan, [100, 100, 100]),
    ])
    func `the multiplier never shrinks a wait`(multiplier: Double, ceilings: [Int]) {
        let policy = RetryPolicy(baseDelay: .milliseconds(100), multiplier: multiplier)
        #expect((1...3).map { policy.maximumDelay(afterFailures: $0) } == ceilings.map { .milliseconds($0) })
    }

    @Test func `full jitter draws from zero to the ceiling`() {
        #expect(Self.bounds(RetryPolicy(), afterFailures: 3) == [.zero, .milliseconds(400)])
    }

    @Test func `equal jitter draws from half of the ceiling to the ceiling`() {
        #expect(Self.bounds(RetryPolicy(jitter: .equal), afterFailures: 3) == [.milliseconds(200), .milliseconds(400)])
    }

    @Test func `without jitter the wait is the ceiling`() {
        #expect(Self.bounds(RetryPolicy(jitter: .none), afterFailures: 3) == [.milliseconds(400), .milliseconds(400)])
    }

    @Test func `full jitter spreads evenly`() async throws {
        try await withSeed { generator in
            let policy = RetryPolicy(baseDelay: .seconds(1))
            var quarters = [0, 0, 0, 0]
            for _ in 0..<4_000 {
                let delay = policy.delay(afterFailures: 1, using: &generator)
                quarters[min(Int(delay.fractionalSeconds * 4), 3)] += 1
            }
            // Seven standard deviations from 1000.
            try expect(quarters.allSatisfy { (800...1200).contains($0) }, "\(quarters)")
        }
    }

    @Test(arguments: [
        RetryPolicy(baseDelay: .seconds(Int64.max), maximumDelay: .seconds(Int64.max)), RetryPolicy(multiplier: .infinity),
        RetryPolicy(multiplier: 1e308),
        RetryPolicy(baseDelay: .zero, multiplier: .infinity), RetryPolicy(baseDelay: .seconds(-1)), RetryPolicy(maximumDelay: .seconds(-1)),
        RetryPolicy(multiplier: -.infinity), RetryPolicy(baseDelay: .seconds(Int64.min), maximumDelay: .seconds(Int64.min)),
    ])
    func `no policy and no number of failures traps, and no wait is negative`(policy: RetryPolicy) {
        for failures in [Int.min, -1, 0, 1, 2, 63, 64, 65, 1_000, .max] {
            for delay in Self.bounds(policy, afterFailures: failures) + [policy.maximumDelay(afterFailures: failures)] {
                #expect(delay >= .zero)
                #expect(delay <= max(policy.maximumDelay, .zero))
            }
        }
    }

    @Test func `a zero base stays without a wait`() {
        #expect(RetryPolicy(baseDelay: .zero, multiplier: .infinity).maximumDelay(afterFailures: 5) == .zero)
    }

    @Test func `the ceiling after many failures is the cap`() {
        #expect(RetryPolicy().maximumDelay(afterFailures: .max) == .seconds(20))
    }
}
