import ScaleCore
import ScaleTesting
import Testing

struct GateTests {
    @Test func `nobody passes before the gate opens, everybody after`() async throws {
        let gate = Gate()
        let facts = RecordedFacts<String>()
        let tasks = (0..<3).map { _ in
            Task {
                try await gate.pass()
                facts.record("passed")
            }
        }
        try await gate.waitForArrivals(3)
        facts.record("opened")
        gate.open()
        for task in tasks { try await task.value }
        try await gate.pass()
        #expect(facts.all == ["opened", "passed", "passed", "passed"])
        #expect(gate.arrivals == 4)
    }

    @Test func `as many pass as are let through, in the order of their arrival`() async throws {
        let gate = Gate()
        let facts = RecordedFacts<Int>()
        var tasks: [Task<Void, any Error>] = []
        for number in 1...3 {
            tasks.append(
                Task {
                    try await gate.pass()
                    facts.record(number)
                })
            try await gate.waitForArrivals(number)
        }
        for number in 1...3 {
            gate.letThrough()
            #expect(try await facts.waitForCount(number) == Array(1...number))
        }
        for task in tasks { try await task.value }
    }

    @Test func `a credit is used by those who come later`() async throws {
        let gate = Gate()
        gate.letThrough(2)
        try await gate.pass()
        try await gate.pass()
        await #expect(throws: TestFailure.self) { try await gate.pass(within: .milliseconds(1)) }
        gate.letThrough(-1)
        await #expect(throws: TestFailure.self) { try await gate.pass(within: .milliseconds(1)) }
    }

    @Test func `a gate that nobody opens fails with its name`() async {
        await #expect {
            try await Gate("loading").pass(within: .milliseconds(1))
        } throws: { "\($0)".contains("'loading' was not opened") }
    }

    @Test func `a gate at which nobody arrives fails with its name`() async {
        await #expect {
            try await Gate("loading").waitForArrivals(2, within: .milliseconds(1))
        } throws: { "\($0)".contains("0 of 2 tasks arrived at the gate 'loading'") }
    }

    @Test func `a task that is cancelled leaves the gate and takes nobody's place`() async throws {
        let gate = Gate()
        let first = Task { try await gate.pass() }
        try await gate.waitForArrivals(1)
        let second = Task { try await gate.pass() }
        try await gate.waitForArrivals(2)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        gate.letThrough(1)
        try await second.value
    }

    @Test func `a task that ignores its cancellation stays`() async throws {
        let gate = Gate()
        let facts = RecordedFacts<Bool>()
        let task = Task {
            try await gate.pass(isCancellable: false)
            facts.record(Task.isCancelled)
        }
        try await gate.waitForArrivals(1)
        task.cancel()
        #expect(facts.all.isEmpty)
        gate.open()
        try await task.value
        #expect(facts.all == [true])
    }

    @Test func `a wait without any time left fails and does not hang`() async {
        await #expect(throws: TestFailure.self) { try await Gate().pass(within: .zero) }
        await #expect(throws: TestFailure.self) { try await Gate().waitForArrivals(1, within: .seconds(-1)) }
    }
}
