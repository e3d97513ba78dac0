import ScaleTesting
import Testing

@testable import ScaleCore

struct OutcomeWindowTests {
    private static func counts(_ window: CircuitBreaker.Configuration.Window, _ events: [(seconds: Double, isFailure: Bool)]) -> [[Int]] {
        var outcomes = OutcomeWindow(window, at: Instant(nanoseconds: 0))
        return events.map { event in
            let counts = outcomes.record(isFailure: event.isFailure, at: Instant(nanoseconds: Int64(event.seconds * 1e9)))
            return [counts.calls, counts.failures]
        }
    }

    @Test func `a window of calls forgets the oldest`() {
        let events = [true, false, true, false, false, false].map { (0.0, $0) }
        #expect(Self.counts(.calls(3), events) == [[1, 1], [2, 1], [3, 2], [3, 1], [3, 1], [3, 0]])
    }

    @Test(arguments: [1, 2, 63, 64, 65, 100, 128])
    func `a window of calls counts as a list of the last calls does`(capacity: Int) async throws {
        try await withSeed { generator in
            var (window, all) = (OutcomeWindow(.calls(capacity), at: Instant(nanoseconds: 0)), [Bool]())
            for _ in 0..<500 {
                all.append(.random(using: &generator))
                let counts = window.record(isFailure: all[all.count - 1], at: Instant(nanoseconds: 0))
                let last = all.suffix(capacity)
                try expectEqual([counts.calls, counts.failures], [last.count, last.count(where: \.self)])
            }
        }
    }

    @Test func `a window of time forgets by tenths`() {
        let events: [(Double, Bool)] = [(0, true), (0.5, true), (9.9, false), (10, false), (10.99, false), (19.9, true), (40, false)]
        #expect(Self.counts(.time(.seconds(10)), events) == [[1, 1], [2, 2], [3, 2], [2, 0], [3, 0], [3, 1], [1, 0]])
    }

    @Test func `a reading older than the newest counts, and nothing goes back`() {
        let events: [(Double, Bool)] = [(5, true), (3, true), (5, false)]
        #expect(Self.counts(.time(.seconds(10)), events) == [[1, 1], [2, 2], [3, 2]])
    }

    @Test(arguments: [
        CircuitBreaker.Configuration.Window.calls(0), .calls(-1), .calls(.min), .time(.zero), .time(.seconds(-1)),
        .time(.seconds(Int64.max)),
        .calls(.max),
    ])
    func `no window traps, at no point in time`(window: CircuitBreaker.Configuration.Window) {
        var outcomes = OutcomeWindow(window, at: Instant(nanoseconds: .min))
        for nanoseconds in [Int64.min, -1, 0, 1, .max, .max, .min] {
            let counts = outcomes.record(isFailure: true, at: Instant(nanoseconds: nanoseconds))
            #expect(counts.calls >= 1 && counts.failures == counts.calls)
        }
    }
}
