import BalancerKit
import ScaleCore
import Testing

struct PassiveHealthTests {
    @Test func `an endpoint rests after maxFails failures, not before`() throws {
        let picks = try Picks([.named("a", maxFails: 3), .named("b", isBackup: true)])
        for failures in 1...3 {
            #expect(picks.call(.failure) == "a")
            #expect(picks.fails("a") == failures)
        }
        #expect(picks.obstacle("a") == .resting)
        #expect(picks.call() == "b")
    }

    @Test func `the rest lasts until more than failTimeout whole seconds have passed`() throws {
        let picks = try Picks(["a:80", .named("b", isBackup: true)])
        picks.advance(by: .milliseconds(900))
        #expect(picks.call(.failure) == "a")
        picks.now = Instant(nanoseconds: 10_999_999_999)
        #expect(picks.call() == "b")
        picks.now = Instant(nanoseconds: 11_000_000_000)
        #expect(picks.call() == "a")
    }

    @Test func `after the rest one call probes, and nobody else gets in while it runs`() throws {
        let picks = try Picks(["a:80", .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(11))
        let probe = try #require(picks.pick())
        #expect(probe.letter == "a" && probe.isProbe)
        #expect(picks.calls(5) == "bbbbb")
        picks.set.report(probe, .success, at: picks.now)
        #expect(picks.calls(5) == "aaaaa")
        #expect(picks.fails("a") == 0)
    }

    @Test func `a probe that fails begins the next rest`() throws {
        let picks = try Picks(["a:80", .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(11))
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(10))
        #expect(picks.call() == "b")
        picks.advance(by: .seconds(1))
        #expect(picks.call() == "a")
    }

    @Test func `successes within failTimeout do not take failures back`() throws {
        let picks = try Picks([.named("a", maxFails: 2), .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(10))
        #expect(picks.calls(20) == String(repeating: "a", count: 20))
        #expect(picks.fails("a") == 1)
        #expect(picks.call(.failure) == "a")
        #expect(picks.obstacle("a") == .resting)
    }

    @Test func `a success in a later period takes failures back`() throws {
        let picks = try Picks([.named("a", maxFails: 2), .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(11))
        #expect(picks.call() == "a")
        #expect(picks.fails("a") == 0)
    }

    @Test func `the result of a call picked before the failure is no probe`() throws {
        let picks = try Picks(["a:80", .named("b", isBackup: true)])
        let slow = try #require(picks.pick())
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(5))
        picks.set.report(slow, .success, at: picks.now)
        #expect(picks.fails("a") == 1)
        #expect(picks.call() == "b")
    }

    @Test func `a probe that is abandoned leaves the next call to probe`() throws {
        let picks = try Picks(["a:80", .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .seconds(11))
        #expect(picks.call(.abandoned) == "a")
        #expect(picks.fails("a") == 1)
        #expect(picks.call() == "a")
        #expect(picks.fails("a") == 0)
    }

    @Test func `an abandoned call shows nothing`() throws {
        let picks = try Picks([.named("a", maxFails: 2), .named("b", isBackup: true)])
        #expect(picks.calls(10, .abandoned) == "aaaaaaaaaa")
        #expect(picks.fails("a") == 0)
        #expect(picks.activeCalls("a") == 0)
    }

    @Test func `maxFails of zero never lets an endpoint rest`() throws {
        let picks = try Picks([.named("a", maxFails: 0), .named("b", maxFails: 0)])
        #expect(picks.calls(20, .failure) == String(repeating: "ab", count: 10))
    }

    @Test func `an endpoint alone in its set never rests`() throws {
        let picks = try Picks(["a:80"])
        #expect(picks.calls(5, .failure) == "aaaaa")
        #expect(picks.fails("a") == 0)
    }

    @Test func `with another endpoint, though down or a backup, nobody is alone`() throws {
        for other in [Endpoint.named("b", isDown: true), .named("b", isBackup: true)] {
            let picks = try Picks(["a:80", other])
            #expect(picks.call(.failure) == "a")
            #expect(picks.obstacle("a") == .resting)
        }
    }

    @Test func `a fraction of a second of failTimeout counts as a whole one`() throws {
        let picks = try Picks([.named("a", failTimeout: .milliseconds(1)), .named("b", isBackup: true)])
        #expect(picks.call(.failure) == "a")
        picks.advance(by: .milliseconds(1999))
        #expect(picks.call() == "b")
        picks.advance(by: .milliseconds(1))
        #expect(picks.call() == "a")
    }

    @Test func `the report says when a rest began and when it ended`() throws {
        let picks = try Picks([.named("a", maxFails: 2), .named("b", isBackup: true)])
        var changes: [HealthChange?] = []
        for outcome in [CallOutcome.failure, .failure, .success] {
            let selection = try #require(picks.pick())
            changes.append(picks.set.report(selection, outcome, at: picks.now))
            if outcome == .failure { continue }
        }
        picks.advance(by: .seconds(11))
        let probe = try #require(picks.pick())
        changes.append(picks.set.report(probe, .success, at: picks.now))
        #expect(changes == [nil, .restBegan, nil, .recovered])
    }
}
