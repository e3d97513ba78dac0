import ScaleTesting
import Testing

@Suite struct PendingCallTests {
    private struct Broken: Error {}

    @Test func `what the call returns or throws is handed on, to everyone who asks`() async throws {
        let gate = Gate()
        let call = PendingCall {
            try await gate.pass()
            return 7
        }
        async let first = call.value()
        async let second = call.value()
        gate.open()
        #expect(try await [first, second] == [7, 7])
        #expect(try await call.value() == 7)
        await #expect(throws: Broken.self) { try await PendingCall { throw Broken() }.value() }
    }

    @Test func `a call that hangs is a failure with its name, and is cancelled`() async throws {
        let cancelled = Gate("the call's cancellation")
        let call = PendingCall("receive") {
            do {
                try await Gate("never opened").pass()
            } catch {
                cancelled.open()
            }
        }
        let failure = try await expectThrows(TestFailure.self) { try await call.value(within: .milliseconds(20)) }
        #expect("\(failure)".contains("receive has not ended within"))
        try await cancelled.pass()
    }

    @Test func `a rule that hangs is not kept`() async throws {
        let rule = ConformanceCase<Int>("ends") { _ in try await Gate("never opened").pass() }
        let failure = try await expectThrows(TestFailure.self) { try await rule.run(on: 0, within: .milliseconds(20)) }
        #expect("\(failure)".contains("'ends' has not ended"))
    }

    @Test func `cancelling the call, and cancelling who waits for it, are two things`() async throws {
        let gate = Gate()
        let call = PendingCall { try await gate.pass() }
        let waiting = Task { try await call.value() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.open()
        try await call.value()
        let other = PendingCall { try await Gate().pass() }
        other.cancel()
        await #expect(throws: CancellationError.self) { try await other.value() }
    }
}
