import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// Epochs in memory are bounded; what is forgotten is a miss.
@Suite struct TagTableTests {
    @Test func `an epoch that was forgotten comes back as another`() {
        var random = SeededGenerator(seed: 1)
        var table = TagTable(capacity: 2)
        let tags = (0..<6).map { EntryKey(space: 0, name: "\($0)") }
        let first = tags.map { table.epochOrCreate(of: $0, random: &random) }
        #expect(Set(first).count == 6)
        let kept = tags.map { table.epoch(of: $0) }
        #expect(kept.first == .some(nil))
        #expect(kept.last == first.last)
        let createdAnew = table.epochOrCreate(of: tags[0], random: &random)
        #expect(createdAnew != first[0])
    }

    @Test func `what is used stays`() {
        var random = SeededGenerator(seed: 1)
        var table = TagTable(capacity: 2)
        let used = EntryKey(space: 0, name: "used")
        let epoch = table.epochOrCreate(of: used, random: &random)
        for index in 0..<20 {
            _ = table.epochOrCreate(of: EntryKey(space: 0, name: "\(index)"), random: &random)
            let now = table.epoch(of: used)
            #expect(now == epoch)
        }
    }

    @Test func `an entry whose tag was forgotten is a miss`() {
        var table = MemoryTable(limits: MemoryLimits(), random: RandomSource(SeededGenerator(seed: 1)))
        let now = Instant(nanoseconds: 0)
        let tag = CacheTag(namespace: "n", name: "t")
        let stamp = TagStamp(name: "t", epoch: table.epoch(of: tag))
        let record = CacheRecord(
            nonce: RecordNonce(high: 0, low: 1), schema: 0, tags: [stamp], body: .object(.make(1, encodedSize: 1)))
        let key = CacheKey(namespace: "n", name: "k")
        table.write(StoreWrite(key: key, record: record, life: CacheLife(nil)), at: now)
        let (entryKey, tagKey) = (table.entryKey(key), table.entryKey(tag))
        let before = table.peek(entryKey)
        #expect(before?.object.value(as: Int.self) == 1)
        table.tags.forget(tagKey)
        let forgotten = table.peek(entryKey)
        #expect(forgotten?.object == nil)
        _ = table.epoch(of: tag)
        let createdAnew = table.peek(entryKey)
        #expect(createdAnew?.object == nil)
    }

    /// Counted, not timed: keys of one hash are searched one after the other.
    @Test func `a name that many namespaces have, as each has its own tag, has a hash in each`() {
        for name in ["", "1"] {
            let hashes = Set((0..<1000).map { EntryKey(space: $0, name: name).hashValue })
            #expect(hashes.count == 1000)
        }
    }
}
