import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// What a load stores, as decisions.
@Suite struct FillTests {
    private let epoch = TagEpoch(bits: 1)
    private let life = CacheLife(.seconds(10))

    private func second(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    private func makeFill(mayAddTags: Bool = false, life: CacheLife? = CacheLife(.seconds(10))) -> Fill {
        let load = OwnLoad(
            key: CacheKey(namespace: "n", name: "k"), epochs: ["": self.epoch], mayAddTags: mayAddTags, fence: nil, sequence: nil,
            leaseEnd: self.second(30))
        return Fill(load: load, life: life)
    }

    @Test func `a load without tags of its own is committed with the epochs read before`() {
        var fill = self.makeFill()
        #expect(fill.granted(at: self.second(0)) == .load)
        let stamps = [TagStamp(name: "", epoch: self.epoch)]
        #expect(fill.loaded(tags: [""], at: self.second(4)) == .commit(stamps, CacheLife(.seconds(6))))
    }

    @Test func `what is to live for ever does`() {
        var fill = self.makeFill(life: CacheLife(nil))
        _ = fill.granted(at: self.second(0))
        #expect(fill.loaded(tags: [""], at: self.second(29)) == .commit([TagStamp(name: "", epoch: self.epoch)], CacheLife(nil)))
    }

    @Test func `nothing is stored without a life, after its end, or after the lease's`() {
        var unwanted = self.makeFill(life: nil)
        _ = unwanted.granted(at: self.second(0))
        #expect(unwanted.loaded(tags: [""], at: self.second(0)) == .abandon)
        var old = self.makeFill()
        _ = old.granted(at: self.second(0))
        #expect(old.loaded(tags: [""], at: self.second(10)) == .abandon)
        var late = self.makeFill(life: CacheLife(nil))
        _ = late.granted(at: self.second(0))
        #expect(late.loaded(tags: [""], at: self.second(30)) == .abandon)
    }

    @Test func `a tag of the loader is stamped only if the sequence stands`() {
        for (now, isSame) in [(UInt64(7), true), (8, false)] {
            var fill = self.makeFill(mayAddTags: true)
            #expect(fill.granted(at: self.second(0)) == .noteSequence)
            #expect(fill.noted(sequence: 7, at: self.second(1)) == .load)
            #expect(fill.loaded(tags: ["", "t"], at: self.second(2)) == .fetchEpochs(["t"], sequence: true))
            let stamps = [TagStamp(name: "", epoch: self.epoch), TagStamp(name: "t", epoch: TagEpoch(bits: 5))]
            let expected: Fill.Action = isSame ? .commit(stamps, CacheLife(.seconds(9))) : .abandon
            #expect(fill.learned(epochs: ["t": TagEpoch(bits: 5)], sequence: now) == expected)
        }
    }

    @Test func `an epoch read before the load is not replaced by one read after it`() {
        var fill = self.makeFill(mayAddTags: true)
        _ = fill.granted(at: self.second(0))
        _ = fill.noted(sequence: 7, at: self.second(0))
        _ = fill.loaded(tags: ["", "t"], at: self.second(0))
        let answer = fill.learned(epochs: ["": TagEpoch(bits: 9), "t": TagEpoch(bits: 5)], sequence: 7)
        #expect(answer == .commit([TagStamp(name: "", epoch: self.epoch), TagStamp(name: "t", epoch: TagEpoch(bits: 5))], self.life))
    }

    @Test func `an entry that would lack the stamp of one of its tags is not stored`() {
        var fill = self.makeFill(mayAddTags: true)
        _ = fill.granted(at: self.second(0))
        _ = fill.noted(sequence: 7, at: self.second(0))
        _ = fill.loaded(tags: ["", "t"], at: self.second(0))
        #expect(fill.learned(epochs: [:], sequence: 7) == .abandon)
    }
}
