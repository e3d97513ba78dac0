import BalancerKit
import ScaleCore
import Testing

struct EndpointSetTests {
    @Test func `a call never gets the same endpoint twice`() throws {
        let picks = try Picks([.named("a", weight: 100, maxFails: 0), .named("b", maxFails: 0), .named("c", maxFails: 0)])
        var history = CallHistory()
        var letters: [String] = []
        while let selection = picks.pick(&history) {
            letters.append(selection.letter)
            picks.set.report(selection, .failure, at: picks.now)
        }
        #expect(letters.sorted() == ["a", "b", "c"])
        #expect(history.attempts == 3)
        #expect(picks.call() != "-")
    }

    @Test func `two refused endpoints and a backup are tried in that order, the next calls go straight to the backup`() throws {
        let picks = try Picks(["a:80", "b:80", .named("c", isBackup: true)])
        var history = CallHistory()
        var tried = ""
        while let selection = picks.pick(&history) {
            tried += selection.letter
            picks.set.report(selection, selection.letter == "c" ? .success : .failure, at: picks.now)
        }
        #expect(tried == "abc")
        #expect(picks.calls(4) == "cccc")
    }

    @Test func `backups are not picked while another endpoint can be`() throws {
        let picks = try Picks(["a:80", .named("b", weight: 1000, isBackup: true)])
        #expect(picks.calls(20) == String(repeating: "a", count: 20))
    }

    @Test func `a call that went over to the backups stays there`() throws {
        let picks = try Picks([.named("a", maxConnections: 1), .named("b", isBackup: true), .named("c", isBackup: true)])
        let holder = try #require(picks.pick())
        var history = CallHistory()
        #expect(picks.pick(&history)?.letter == "b")
        picks.set.report(holder, .success, at: picks.now)
        #expect(picks.pick(&history)?.letter == "c")
        #expect(picks.pick(&history) == nil)
        #expect(picks.call() == "a")
    }

    @Test func `backups take turns by weight among themselves`() throws {
        let picks = try Picks([.named("a", isDown: true), .named("b", weight: 3, isBackup: true), .named("c", weight: 2, isBackup: true)])
        #expect(picks.calls(5) == "bcbcb")
    }

    @Test func `an endpoint that is down is never picked`() throws {
        let picks = try Picks(["a:80", .named("b", isDown: true), "c:80"])
        #expect(picks.calls(4) == "acac")
        let alone = try Picks([.named("a", isDown: true)])
        #expect(alone.call() == "-")
    }

    @Test func `an endpoint at its connection limit is passed over until a call ends`() throws {
        let picks = try Picks([.named("a", maxConnections: 2), .named("b", maxConnections: 1)])
        let held = (0..<3).compactMap { _ in picks.pick() }
        #expect(held.map(\.letter).joined() == "aba")
        #expect(picks.call() == "-")
        picks.set.report(held[1], .success, at: picks.now)
        #expect(picks.calls(3) == "bbb")
    }

    @Test func `a connection limit holds for an endpoint alone, too`() throws {
        let picks = try Picks([.named("a", maxConnections: 1)])
        let held = try #require(picks.pick())
        #expect(picks.call() == "-")
        picks.set.report(held, .failure, at: picks.now)
        #expect(picks.call() == "a")
    }

    @Test func `when nobody can be picked the error says why for each`() throws {
        let picks = try Picks([
            .named("a", isDown: true), "b:80", .named("c", maxConnections: 1), "d:80", .named("e", isBackup: true),
        ])
        var history = CallHistory()
        let b = try #require(picks.pick(&history))
        let c = try #require(picks.pick(&history))
        let d = try #require(picks.pick(&history))
        let e = try #require(picks.pick(&history))
        #expect([b, c, d, e].map(\.letter) == ["b", "c", "d", "e"])
        picks.set.report(b, .failure, at: picks.now)
        #expect(picks.pick(&history) == nil)
        let own = picks.set.noLiveEndpoint(history, at: picks.now, place: "api")
        #expect(own.code == .noLiveEndpoint && own.place == "api")
        #expect(own.unavailable.map(\.reason) == [.down, .tried, .tried, .tried, .tried])
        let other = picks.set.noLiveEndpoint(CallHistory(), at: picks.now)
        #expect(other.unavailable.map(\.reason) == [.down, .resting, .atConnectionLimit])
        #expect(other.description.contains("b:80: resting"))
    }

    @Test func `calls in flight are counted from pick to report`() throws {
        let picks = try Picks(["a:80"])
        let selections = (0..<5).compactMap { _ in picks.pick() }
        #expect(picks.activeCalls("a") == 5)
        for (index, selection) in selections.enumerated() {
            picks.set.report(selection, [.success, .failure, .abandoned][index % 3], at: picks.now)
            #expect(picks.activeCalls("a") == 4 - index)
        }
    }

    @Test func `a strategy that answers nonsense leaves the choice to round robin`() throws {
        struct Nonsense: BalancingStrategy {
            var answer: Int?
            func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? { self.answer }
        }
        for answer in [nil, -1, 2, Int.max, Int.min] {
            let picks = try Picks(["a:80", "b:80"], strategy: Nonsense(answer: answer))
            #expect(picks.calls(4) == "abab")
        }
    }
}
