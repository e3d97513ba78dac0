import BalancerKit
import Testing

struct LeastConnectionsTests {
    @Test func `the endpoint with the fewest calls in flight is picked`() throws {
        let picks = try Picks(weights: [1, 1, 1], strategy: .leastConnections)
        let a = try #require(picks.pick())
        let b = try #require(picks.pick())
        let c = try #require(picks.pick())
        #expect([a, b, c].map(\.letter) == ["a", "b", "c"])
        picks.set.report(b, .success, at: picks.now)
        #expect(picks.pick()?.letter == "b")
        picks.set.report(c, .success, at: picks.now)
        picks.set.report(a, .success, at: picks.now)
        picks.set.report(a, .abandoned, at: picks.now)
        #expect(picks.activeCalls("a") == 0)
    }

    @Test func `calls in flight count in relation to the weight`() throws {
        let picks = try Picks(weights: [3, 1], strategy: .leastConnections)
        let letters = (0..<8).compactMap { _ in picks.pick()?.letter }.joined()
        #expect(letters.filter { $0 == "a" }.count == 6)
        #expect(picks.activeCalls("a") == 6 && picks.activeCalls("b") == 2)
    }

    @Test func `among equally busy endpoints the turn is that of smooth weighted round robin`() throws {
        let picks = try Picks(weights: [5, 1, 1], strategy: .leastConnections)
        #expect(picks.calls(14) == "aabacaaaabacaa")
    }

    @Test func `only the tied endpoints take turns`() throws {
        let picks = try Picks(weights: [1, 1, 1], strategy: .leastConnections)
        let busy = try #require(picks.pick())
        #expect(busy.letter == "a")
        let others = picks.calls(6)
        #expect(!others.contains("a"))
        #expect(others.filter { $0 == "b" }.count == 3)
    }
}
