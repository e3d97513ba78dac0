import ScaleCore
import ScaleTesting
import Testing

struct EventuallyTests {
    @Test func `a condition that holds is asked once`() async throws {
        var asked = 0
        try await eventually {
            asked += 1
            return true
        }
        #expect(asked == 1)
    }

    @Test func `a condition that comes true is noticed`() async throws {
        let flag = Locked(false)
        let setter = Task { flag.withLock { $0 = true } }
        try await eventually("the flag is set") { flag.withLock { $0 } }
        await setter.value
    }

    @Test func `a condition that comes true after the scheduler's turns is noticed`() async throws {
        var asked = 0
        try await eventually {
            asked += 1
            return asked == 110
        }
    }

    @Test func `a value is returned when it is there`() async throws {
        var values: [Int?] = [nil, nil, 3]
        let value = try await eventually { values.removeFirst() }
        #expect(value == 3)
    }

    @Test func `a condition that never holds fails at the limit, with its words and its line`() async throws {
        let line = #line + 2
        let failure = try await expectThrows(TestFailure.self) {
            try await eventually(within: .milliseconds(5), "pigs fly") { false }
        }
        #expect(failure == TestFailure("not within 0.005 seconds: pigs fly", file: #fileID, line: line))
    }

    @Test func `a condition is asked at least once, whatever the limit`() async throws {
        try await eventually(within: .zero) { true }
        try await eventually(within: .seconds(-1)) { true }
    }

    @Test func `a cancelled task stops waiting`() async {
        let waiter = Task { try await eventually { false } }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
    }

    @Test func `what the condition throws is passed on`() async {
        struct Boom: Error {}
        await #expect(throws: Boom.self) { try await eventually { throw Boom() } }
    }
}
