import BalancerKit
import Testing

struct RoundRobinTests {
    @Test(arguments: [
        ([5, 1, 1], "aabacaa"), ([4, 2, 1], "abacaba"), ([3, 2], "ababa"), ([1, 1, 1], "abc"), ([1], "a"), ([2, 2], "ab"),
        ([1, 5], "bbabbb"),
    ])
    func `weights are spread smoothly, in nginx's sequence, round after round`(weights: [Int], round: String) throws {
        let picks = try Picks(weights: weights)
        #expect(picks.calls(round.count * 3) == round + round + round)
    }

    @Test func `a failure costs a share of the weight, which comes back by one per pick`() throws {
        let picks = try Picks([.named("a", weight: 4, maxFails: 2), .named("b", weight: 1)])
        // One failure of two takes half of a's weight, a does not rest yet: its next turns come as if it weighed 2, 3, 4.
        #expect(picks.call(.failure) == "a")
        let after = picks.calls(10)
        #expect(after.prefix(3) == "baa")
        #expect(picks.calls(10).filter { $0 == "a" }.count == 8)
    }

    @Test func `an endpoint whose weight is all lost still comes back`() throws {
        let picks = try Picks([.named("a", weight: 100), .named("b")])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(11))
        // With an effective weight of 0 a is not picked at first; each pick gives one back.
        #expect(picks.calls(200).contains("aaaaaaaa"))
    }

    @Test func `a share of equal endpoints is exact over every round, whatever their number`() throws {
        for count in 1...8 {
            let picks = try Picks(weights: Array(repeating: 3, count: count))
            let round = picks.calls(count)
            #expect(Set(round).count == count)
            #expect(picks.calls(count) == round)
        }
    }
}
