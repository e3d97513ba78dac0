import ScaleCore
import ScaleTesting
import Testing

struct TimeSourceTests {
    @Test func `the system's monotonic readings never go backwards`() {
        var last = TimeSource.system.now()
        for _ in 0..<10_000 {
            let now = TimeSource.system.now()
            #expect(last <= now)
            last = now
        }
    }

    @Test func `the system's UTC is this century's`() {
        let year2025 = UTCTime(millisecondsSinceEpoch: 1_735_689_600_000)
        #expect(TimeSource.system.utcNow() > year2025)
    }

    @Test(arguments: [TimeSource.system, TimeSource(ContinuousClock()), TimeSource(SuspendingClock()), ManualTime().source])
    func `a sleep ends at or after its deadline`(time: TimeSource) async throws {
        try await time.sleep(until: time.now())
        try await time.sleep(for: .seconds(-1))
        try await time.sleep(until: Instant(nanoseconds: .min))
    }

    @Test(arguments: [TimeSource.system, TimeSource(ContinuousClock()), TimeSource(SuspendingClock())])
    func `a sleep returns no earlier than its deadline`(time: TimeSource) async throws {
        let deadline = time.now().advanced(by: .milliseconds(2))
        try await time.sleep(until: deadline)
        #expect(time.now() >= deadline)
    }

    @Test(arguments: [TimeSource.system, TimeSource(ContinuousClock()), TimeSource(SuspendingClock()), ManualTime().source])
    func `a sleep for ever ends when its task is cancelled`(time: TimeSource) async throws {
        let started = Gate()
        let sleeper = Task {
            try await started.pass()
            try await time.sleep(until: .distantFuture)
        }
        try await started.waitForArrivals()
        started.open()
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test(arguments: [TimeSource.system, TimeSource(ContinuousClock()), ManualTime().source])
    func `a cancelled task does not sleep, even when the deadline has passed`(time: TimeSource) async throws {
        let sleeper = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await time.sleep(until: .distantFuture)
        }
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test func `a clock's UTC advances with the clock`() async throws {
        let time = TimeSource(ContinuousClock())
        // Read in this order, the time between the two UTC readings lies within the time between the two instants, however late this task runs.
        let now = time.now()
        let utc = time.utcNow()
        try await time.sleep(for: .milliseconds(1))
        let later = time.utcNow()
        #expect(utc.duration(to: later) >= .milliseconds(1))
        #expect(utc.duration(to: later) <= now.duration(to: time.now()) + .milliseconds(1))
    }
}
