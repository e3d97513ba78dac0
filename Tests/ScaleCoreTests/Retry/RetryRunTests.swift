import ScaleCore
import ScaleTesting
import Testing

struct RetryRunTests {
    struct Boom: Error, Equatable { var attempt: Int }

    private static let steady = RetryPolicy(baseDelay: .seconds(1), jitter: .none, maximumAttempts: 4)

    @Test func `a success is returned after as many attempts as it took, and after their waits`() async throws {
        let time = ManualTime()
        let attempts = RecordedFacts<Int64>()
        let value = try await time.run {
            try await Self.steady.run(time: time.source) { attempt in
                attempts.record(time.now().nanoseconds / 1_000_000_000)
                if attempt < 3 { throw Boom(attempt: attempt) }
                return "value of \(attempt)"
            }
        }
        #expect(value == "value of 3")
        #expect(attempts.all == [0, 1, 3])
    }

    @Test func `the last attempt's error is thrown as it is`() async {
        let time = ManualTime()
        await #expect(throws: Boom(attempt: 4)) {
            try await time.run { try await Self.steady.run(time: time.source) { throw Boom(attempt: $0) } }
        }
        #expect(time.now() == Instant(nanoseconds: 7_000_000_000))
    }

    @Test func `an error that may not pass is thrown at once`() async throws {
        let time = ManualTime()
        await #expect(throws: Boom(attempt: 2)) {
            try await time.run {
                try await Self.steady.run(time: time.source, isRetryable: { ($0 as? Boom)?.attempt == 1 }) { throw Boom(attempt: $0) }
            }
        }
        #expect(time.now() == Instant(nanoseconds: 1_000_000_000))
    }

    @Test func `it never sleeps past the deadline`() async {
        let time = ManualTime()
        let deadline = Instant(nanoseconds: 3_000_000_000)
        await #expect(throws: Boom(attempt: 2)) {
            try await time.run {
                try await Self.steady.run(time: time.source, deadline: deadline) { throw Boom(attempt: $0) }
            }
        }
        #expect(time.now() == Instant(nanoseconds: 1_000_000_000))
    }

    @Test func `the time limit counts from the begin of the run, attempts included`() async {
        let time = ManualTime()
        var policy = Self.steady
        policy.timeLimit = .seconds(10)
        policy.maximumAttempts = nil
        let limited = policy
        await #expect(throws: Boom(attempt: 2)) {
            try await time.run {
                try await limited.run(time: time.source) { attempt in
                    try await time.source.sleep(for: .seconds(5))
                    throw Boom(attempt: attempt)
                }
            }
        }
        // 5 s, 1 s of waiting, 5 s: the next attempt would begin at 13 s.
        #expect(time.now() == Instant(nanoseconds: 11_000_000_000))
    }

    @Test func `cancellation during a wait ends it at once`() async throws {
        let time = ManualTime()
        let attempts = RecordedFacts<Int>()
        let run = Task {
            try await Self.steady.run(time: time.source) { attempt in
                attempts.record(attempt)
                throw Boom(attempt: attempt)
            }
        }
        try await time.waitForSleepers(1)
        run.cancel()
        await #expect(throws: CancellationError.self) { try await run.value }
        #expect(attempts.all == [1])
        #expect(time.now() == Instant(nanoseconds: 0))
    }

    @Test func `an attempt that was cancelled is not repeated`() async {
        let attempts = RecordedFacts<Int>()
        await #expect(throws: CancellationError.self) {
            try await Self.steady.run(time: ManualTime().source) { attempt in
                attempts.record(attempt)
                throw CancellationError()
            }
        }
        #expect(attempts.all == [1])
    }

    @Test func `an attempt that fails in a cancelled task is not repeated, and its own error is thrown`() async throws {
        let gate = Gate()
        let run = Task {
            try await Self.steady.run(time: ManualTime().source) { attempt in
                try await gate.pass(isCancellable: false)
                throw Boom(attempt: attempt)
            }
        }
        try await gate.waitForArrivals()
        run.cancel()
        gate.open()
        await #expect(throws: Boom(attempt: 1)) { try await run.value }
    }

    @Test func `the waits are drawn from the given randomness`() async throws {
        let time = ManualTime()
        let policy = RetryPolicy(maximumAttempts: 3)
        _ = try? await time.run {
            try await policy.run(time: time.source, random: RandomSource(SeededGenerator(seed: 9))) { throw Boom(attempt: $0) }
        }
        var generator = SeededGenerator(seed: 9)
        let expected = policy.delay(afterFailures: 1, using: &generator) + policy.delay(afterFailures: 2, using: &generator)
        #expect(Instant(nanoseconds: 0).duration(to: time.now()) == expected)
    }
}
