import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// One caller's way to a value, as decisions.
@Suite struct LookupTests {
    private static let token = LeaseToken(high: 0, low: 1)
    private let now = Instant(nanoseconds: 0)
    private let own = OwnLoad(
        key: CacheKey(namespace: "n", name: "k"), epochs: ["": TagEpoch(bits: 1)], mayAddTags: false, fence: 3, sequence: nil,
        leaseEnd: Instant(nanoseconds: 1_000_000_000))

    private func makeLookup(fence: UInt64? = nil) -> Lookup {
        var lookup = Lookup(fence: fence, limit: .seconds(1), poll: .milliseconds(5) ... .milliseconds(50))
        lookup.readBegins(at: self.now)
        lookup.learned(epochs: ["": TagEpoch(bits: 1)])
        return lookup
    }

    private func record() -> CacheRecord {
        CacheRecord(nonce: RecordNonce(high: 1, low: 1), schema: 0, tags: [], body: .bytes([]))
    }

    private func meet(_ lookup: inout Lookup, _ own: OwnLoad?) -> Lookup.Action {
        var random = SeededGenerator(seed: 1)
        return lookup.saw(.stale(.absent, holder: Self.token), own: own, at: self.now, random: &random)
    }

    @Test func `a fresh value at first sight is a hit, and later one that was waited for`() throws {
        var random = SeededGenerator(seed: 1)
        var lookup = self.makeLookup()
        #expect(lookup.saw(.fresh(self.record()), own: nil, at: self.now, random: &random) == .finish(isHit: true))
        #expect(lookup.saw(.stale(.absent, holder: nil), own: nil, at: self.now, random: &random) == .open(.absent))
        #expect(lookup.saw(.fresh(self.record()), own: nil, at: self.now, random: &random) == .finish(isHit: false))
        #expect(lookup.saw(.counter, own: nil, at: self.now, random: &random) == .failWrongKind)
        #expect(lookup.saw(.needsEpochs(["t"]), own: nil, at: self.now, random: &random) == .readEpochs(["t"], sequence: false))
    }

    @Test func `a load of this node is joined exactly if the epochs are those that it captured`() throws {
        let token = try #require(Self.token)
        var current = self.makeLookup()
        #expect(self.meet(&current, self.own) == .join(token))
        var outdated = self.makeLookup()
        outdated.learned(epochs: ["": TagEpoch(bits: 2)])
        #expect(self.meet(&outdated, self.own) == .endLease(token))
        var lost = self.makeLookup()
        lost.learned(epochs: ["": nil])
        #expect(self.meet(&lost, self.own) == .endLease(token))
        var unknown = self.makeLookup()
        unknown.readBegins(at: self.now)
        #expect(self.meet(&unknown, self.own) == .readEpochs([""], sequence: false))
    }

    @Test func `a load whose loader may add tags is joined only if the sequence stands too`() throws {
        var own = OwnLoad(
            key: self.own.key, epochs: self.own.epochs, mayAddTags: true, fence: nil, sequence: nil, leaseEnd: self.own.leaseEnd)
        var lookup = self.makeLookup()
        guard case .wait = self.meet(&lookup, own) else {
            Issue.record("its sequence is not noted yet, so it has to be waited for")
            return
        }
        own.sequence = 7
        #expect(self.meet(&lookup, own) == .readEpochs([], sequence: true))
        lookup.learned(epochs: [:], sequence: 7)
        #expect(self.meet(&lookup, own) == .join(try #require(Self.token)))
        lookup.learned(epochs: [:], sequence: 8)
        #expect(self.meet(&lookup, own) == .endLease(try #require(Self.token)))
    }

    @Test func `a read with a fence joins a load of the same fence alone`() throws {
        var same = self.makeLookup(fence: 3)
        #expect(self.meet(&same, self.own) == .join(try #require(Self.token)))
        var another = self.makeLookup(fence: 4)
        guard case .wait = self.meet(&another, self.own) else {
            Issue.record("it has to wait")
            return
        }
        #expect(same.storeFailed() == .loadAlone)
        #expect(self.makeLookup().storeFailed() == .loadInOutage)
    }

    @Test func `an entry that keeps changing is loaded without the lease`() {
        var lookup = self.makeLookup()
        for _ in 1..<Lookup.patience { #expect(lookup.hasChanged() == .read) }
        #expect(lookup.hasChanged() == .loadAlone)
    }

    @Test func `waiting ends when a load could not be stored any more`() throws {
        var random = SeededGenerator(seed: 1)
        var lookup = self.makeLookup()
        let token = try #require(Self.token)
        var time = self.now
        for _ in 0..<1_000 {
            let action = lookup.wasHeld(by: token, remaining: .seconds(3_600), own: nil, at: time, random: &random)
            if action == .loadAlone { break }
            guard case .wait(let pause) = action else {
                Issue.record("neither waiting nor loading")
                return
            }
            time = time.advanced(by: pause)
        }
        #expect(time > Instant(nanoseconds: 1_000_000_000) && time < Instant(nanoseconds: 1_060_000_000))
    }
}
