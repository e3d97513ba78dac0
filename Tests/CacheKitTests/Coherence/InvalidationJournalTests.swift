import Testing

@testable import CacheKit

@Suite struct InvalidationJournalTests {
    @Test func `what is delivered is owed no more, unless it was added again meanwhile`() {
        var journal = InvalidationJournal()
        #expect(journal.isEmpty)
        journal.add([.key("a"), .tag("t")])
        let (targets, mark) = journal.owed
        #expect(Set(targets) == [.key("a"), .tag("t")])
        journal.add([.key("a")])
        journal.delivered(targets, upTo: mark)
        #expect(journal.owed.targets == [.key("a")])
        journal.delivered(journal.owed.targets, upTo: journal.owed.mark)
        #expect(journal.isEmpty)
    }

    @Test func `names that are equal as Swift strings are owed each for itself`() {
        var journal = InvalidationJournal()
        journal.add([.key("\u{E9}"), .key("e\u{301}"), .tag("\u{E9}")])
        #expect(journal.owed.targets.count == 3)
    }

    @Test func `too many become one invalidation of everything`() {
        var journal = InvalidationJournal()
        journal.add((0..<InvalidationJournal.capacity).map { .key("\($0)") })
        #expect(journal.owed.targets.count == InvalidationJournal.capacity)
        journal.add([.tag("t")])
        #expect(journal.owed.targets == [.tag("")])
        journal.delivered([.tag("")], upTo: journal.owed.mark)
        #expect(journal.isEmpty)
    }
}
