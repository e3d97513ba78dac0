import ScaleCore
import ScaleTesting
import Testing

@Suite struct PatienceTests {
    private static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func `time counts as it passes, and of a standstill no more than a step`() {
        var patience = Patience(.seconds(3), at: Self.at(0))
        #expect(patience.left(at: Self.at(0)) == .seconds(3))
        #expect(patience.left(at: Self.at(400)) == .milliseconds(2_600))
        #expect(patience.left(at: Self.at(1_400)) == .milliseconds(1_600))
        #expect(patience.left(at: Self.at(60_000)) == .milliseconds(600))
        #expect(patience.left(at: Self.at(60_600)) == .zero)
    }

    @Test func `a limit of nothing, or less, is over at once`() async throws {
        for limit in [Duration.zero, .seconds(-5)] {
            var patience = Patience(limit)
            #expect(patience.left() <= .zero)
            try await patience.pass()
        }
    }

    @Test func `it does not pass for who is cancelled`() async {
        let waiting = Task {
            var patience = Patience(.seconds(3600))
            try await patience.pass()
        }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
