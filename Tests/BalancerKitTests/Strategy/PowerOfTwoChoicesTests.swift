import BalancerKit
import ScaleCore
import Testing

struct PowerOfTwoChoicesTests {
    @Test func `of two endpoints the less busy one is always picked`() throws {
        let picks = try Picks(weights: [1, 1], strategy: .powerOfTwoChoices)
        let first = try #require(picks.pick())
        for _ in 0..<50 {
            #expect(picks.call() != first.letter)
        }
    }

    @Test func `both choices are distinct, so the busiest of many is never picked`() throws {
        for weights in [[1, 1, 1, 1], [1, 2, 3, 4]] {
            let picks = try Picks(weights: weights, strategy: .powerOfTwoChoices)
            let busy = try #require(picks.pick())
            for _ in 0..<8 { _ = picks.pick().map { if $0.letter != busy.letter { picks.set.report($0, .success, at: picks.now) } } }
            let load = picks.activeCalls(busy.letter) ?? 0
            #expect(load >= 1)
            #expect(!picks.calls(200).contains(busy.letter))
        }
    }

    @Test func `idle endpoints share calls in proportion to their weights`() throws {
        let picks = try Picks(weights: [4, 2, 1, 1], strategy: .powerOfTwoChoices)
        let letters = picks.calls(8_000)
        let shares = "abcd".map { letter in letters.filter { $0 == letter }.count }
        #expect(abs(shares[0] - 4_000) < 300)
        #expect(abs(shares[1] - 2_000) < 300)
        #expect(abs(shares[2] - 1_000) < 300)
        #expect(abs(shares[3] - 1_000) < 300)
    }

    @Test func `equal seeds give equal picks, other seeds others`() throws {
        func letters(_ seed: UInt64) throws -> String {
            let picks = try Picks(["a:80", "b:80", "c:80"], strategy: .powerOfTwoChoices, seed: seed)
            return picks.calls(64)
        }
        #expect(try letters(7) == letters(7))
        #expect(try letters(7) != letters(8))
    }

    @Test func `the first drawn wins a tie`() throws {
        // With all idle the pick is the first draw itself, so a generator of small numbers always picks the first endpoint.
        struct Ones: RandomNumberGenerator {
            func next() -> UInt64 { 1 }
        }
        var set = try EndpointSet(["a:80", "b:80", "c:80"], strategy: .powerOfTwoChoices, random: Ones())
        var history = CallHistory()
        guard case .endpoint(let selection) = set.pick(&history, at: .init(nanoseconds: 0)) else {
            Issue.record("nobody was picked")
            return
        }
        #expect(selection.letter == "a")
    }
}
