import BalancerKit
import ScaleCore
import Testing

struct EndpointSetUpdateTests {
    @Test func `an endpoint that stays keeps its turn, its calls in flight and its failures`() throws {
        let picks = try Picks([.named("a", weight: 5, maxFails: 2), "b:80", "c:80"])
        #expect(picks.call(.failure) == "a")
        let held = try #require(picks.pick())
        let letter = held.letter
        try picks.set.update(["d:80", .named("a", weight: 5, maxFails: 2), "b:80", "c:80"])
        #expect(picks.fails("a") == 1)
        #expect(picks.activeCalls(letter) == 1)
        picks.set.report(held, .success, at: picks.now)
        #expect(picks.activeCalls(letter) == 0)
    }

    @Test func `an unchanged update changes no sequence`() throws {
        let picks = try Picks(weights: [5, 1, 1])
        var letters = ""
        for _ in 0..<14 {
            letters += picks.call()
            try picks.set.update(picks.set.status(at: picks.now).map(\.endpoint))
        }
        #expect(letters == "aabacaaaabacaa")
    }

    @Test func `new settings of an endpoint hold at once`() throws {
        let picks = try Picks(["a:80", "b:80"])
        try picks.set.update([.named("a", isDown: true), .named("b", maxConnections: 1)])
        let held = try #require(picks.pick())
        #expect(held.letter == "b")
        #expect(picks.call() == "-")
    }

    @Test func `a weight that changes keeps what failures took from it`() throws {
        let picks = try Picks([.named("a", weight: 4, maxFails: 2), "b:80"])
        #expect(picks.call(.failure) == "a")
        try picks.set.update([.named("a", weight: 8, maxFails: 2), "b:80"])
        #expect(picks.calls(90).filter { $0 == "a" }.count >= 78)
        try picks.set.update([.named("a", weight: 1, maxFails: 2), "b:80"])
        _ = picks.calls(20)
        #expect(picks.calls(10).filter { $0 == "a" }.count == 5)
    }

    @Test func `a removed endpoint gets no more calls, and its calls in flight finish`() throws {
        let picks = try Picks(["a:80", "b:80"])
        let held = try #require(picks.pick())
        #expect(held.letter == "a")
        try picks.set.update(["b:80"])
        #expect(picks.calls(3) == "bbb")
        #expect(picks.set.leavingCalls == 1)
        #expect(picks.set.report(held, .failure, at: picks.now) == nil)
        #expect(picks.set.leavingCalls == 0)
        #expect(picks.activeCalls("b") == 0)
    }

    @Test func `an endpoint that comes back with calls in flight is recognised`() throws {
        let picks = try Picks([.named("a", maxConnections: 1), "b:80"])
        let held = try #require(picks.pick())
        try picks.set.update(["b:80"])
        try picks.set.update([.named("a", maxConnections: 1), "b:80"])
        #expect(picks.activeCalls("a") == 1)
        #expect(picks.set.leavingCalls == 0)
        #expect(picks.calls(3) == "bbb")
        picks.set.report(held, .success, at: picks.now)
        #expect(picks.activeCalls("a") == 0)
        #expect(picks.calls(2).contains("a"))
    }

    @Test func `an endpoint that comes back after its last call begins afresh`() throws {
        let picks = try Picks(["a:80", "b:80"])
        #expect(picks.call(.failure) == "a")
        try picks.set.update(["b:80"])
        try picks.set.update(["a:80", "b:80"])
        #expect(picks.fails("a") == 0)
        #expect(picks.obstacle("a") == nil)
    }

    @Test func `a call in progress does not return to what it tried, though positions changed`() throws {
        let picks = try Picks([.named("a", maxFails: 0), .named("b", maxFails: 0)])
        var history = CallHistory()
        #expect(picks.pick(&history)?.letter == "a")
        try picks.set.update([.named("c", maxFails: 0), .named("b", maxFails: 0), .named("a", maxFails: 0)])
        var rest = ""
        while let selection = picks.pick(&history) { rest += selection.letter }
        #expect(rest.sorted() == ["b", "c"])
    }

    @Test func `an update that is refused changes nothing`() throws {
        let picks = try Picks(["a:80", "b:80"])
        #expect(picks.call() == "a")
        for bad in [[], ["a:80", "a:80"], [.named("a", weight: 0)]] as [[Endpoint]] {
            #expect(throws: BalancerError.self) { try picks.set.update(bad) }
        }
        #expect(picks.calls(3) == "bab")
    }

    @Test func `the rest of an endpoint that was alone counts from when it is not`() throws {
        let picks = try Picks(["a:80"])
        #expect(picks.calls(3, .failure) == "aaa")
        try picks.set.update(["a:80", "b:80"])
        #expect(picks.calls(2) == "ab" || picks.calls(2) == "ba")
        #expect(picks.calls(2, .failure).count == 2)
        #expect(picks.call() == "-")
    }
}
