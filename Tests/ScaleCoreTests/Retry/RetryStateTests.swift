import ScaleCore
import ScaleTesting
import Testing

struct RetryStateTests {
    private static let origin = Instant(nanoseconds: 1_000_000_000)
    private static let steady = RetryPolicy(baseDelay: .seconds(1), maximumDelay: .seconds(60), jitter: .none, maximumAttempts: 4)

    private static func at(_ seconds: Int) -> Instant { Self.origin.advanced(by: .seconds(seconds)) }

    @Test func `the last attempt that fails is the end`() {
        var (state, generator) = (RetryState(Self.steady, startingAt: Self.origin), SeededGenerator(seed: 1))
        let decisions = (0..<5).map { _ in state.failed(at: Self.origin, using: &generator) }
        #expect(
            decisions == [.retry(at: Self.at(1)), .retry(at: Self.at(2)), .retry(at: Self.at(4)), .giveUp(.attempts), .giveUp(.attempts)])
    }

    @Test(arguments: [1, 0, -5, Int.min])
    func `there is one attempt at least`(maximum: Int) {
        var (state, generator) = (RetryState(RetryPolicy(maximumAttempts: maximum), startingAt: Self.origin), SeededGenerator(seed: 1))
        #expect(state.failed(at: Self.origin, using: &generator) == .giveUp(.attempts))
        #expect(RetryPolicy.never.maximumAttempts == 1)
    }

    @Test func `without a maximum there is no end`() {
        var (state, generator) = (RetryState(.forever, startingAt: Self.origin), SeededGenerator(seed: 1))
        for _ in 0..<10_000 {
            guard case .retry(let next) = state.failed(at: Self.origin, using: &generator) else {
                Issue.record("gave up")
                return
            }
            #expect(next <= Self.at(20))
        }
    }

    @Test func `a wait that would end at the deadline is not begun, one that ends before it is`() {
        var generator = SeededGenerator(seed: 1)
        var late = RetryState(Self.steady, startingAt: Self.origin, deadline: Self.at(1))
        #expect(late.failed(at: Self.origin, using: &generator) == .giveUp(.deadline))
        var early = RetryState(Self.steady, startingAt: Self.origin, deadline: Self.at(1).advanced(by: .nanoseconds(1)))
        #expect(early.failed(at: Self.origin, using: &generator) == .retry(at: Self.at(1)))
    }

    @Test func `the earlier of time limit and deadline counts`() {
        var policy = Self.steady
        policy.timeLimit = .seconds(5)
        #expect(RetryState(policy, startingAt: Self.origin).deadline == Self.at(5))
        #expect(RetryState(policy, startingAt: Self.origin, deadline: Self.at(3)).deadline == Self.at(3))
        #expect(RetryState(policy, startingAt: Self.origin, deadline: Self.at(9)).deadline == Self.at(5))
        policy.timeLimit = .seconds(Int64.max)
        #expect(RetryState(policy, startingAt: Self.origin).deadline == .distantFuture)
    }

    @Test func `what the server asked for is the least wait`() {
        var (state, generator) = (RetryState(Self.steady, startingAt: Self.origin, deadline: Self.at(60)), SeededGenerator(seed: 1))
        #expect(state.failed(at: Self.origin, minimumDelay: .seconds(30), using: &generator) == .retry(at: Self.at(30)))
        #expect(state.failed(at: Self.origin, minimumDelay: .milliseconds(1), using: &generator) == .retry(at: Self.at(2)))
        #expect(state.failed(at: Self.origin, minimumDelay: .seconds(61), using: &generator) == .giveUp(.deadline))
    }

    @Test func `after a success the waits begin anew`() {
        var (state, generator) = (RetryState(Self.steady, startingAt: Self.origin), SeededGenerator(seed: 1))
        _ = state.failed(at: Self.origin, using: &generator)
        _ = state.failed(at: Self.origin, using: &generator)
        state.succeeded()
        #expect(state.failures == 0)
        #expect(state.failed(at: Self.at(9), using: &generator) == .retry(at: Self.at(10)))
    }

    @Test func `a wait beyond the end of time is the end`() {
        let policy = RetryPolicy(baseDelay: .seconds(Int64.max), maximumDelay: .seconds(Int64.max), jitter: .none)
        var (state, generator) = (RetryState(policy, startingAt: Self.origin), SeededGenerator(seed: 1))
        #expect(state.failed(at: Self.origin, using: &generator) == .giveUp(.deadline))
    }
}
