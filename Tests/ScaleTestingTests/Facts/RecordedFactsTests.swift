import ScaleTesting
import Testing

struct RecordedFactsTests {
    @Test func `facts are kept in order`() {
        let facts = RecordedFacts<Int>()
        for fact in [3, 1, 2] { facts.record(fact) }
        #expect(facts.all == [3, 1, 2])
        #expect(facts.count == 3)
    }

    @Test func `a fact that is there already is found`() async throws {
        let facts = RecordedFacts<Int>()
        for fact in [1, 2, 3, 4] { facts.record(fact) }
        #expect(try await facts.first { $0 % 2 == 0 } == 2)
    }

    @Test func `a fact still to come is waited for`() async throws {
        let facts = RecordedFacts<Int>()
        facts.record(1)
        let recorder = Task { for fact in 2...50 { facts.record(fact) } }
        #expect(try await facts.first { $0 == 50 } == 50)
        await recorder.value
    }

    @Test func `each fact is looked at once`() async throws {
        let facts = RecordedFacts<Int>()
        facts.record(1)
        var looked: [Int] = []
        let found = try await facts.first { fact in
            looked.append(fact)
            if fact < 5 { facts.record(fact + 1) }
            return fact == 5
        }
        #expect(found == 5)
        #expect(looked == [1, 2, 3, 4, 5])
    }

    @Test func `a fact that does not come fails with its name`() async {
        let facts = RecordedFacts<Int>()
        facts.record(1)
        await #expect {
            try await facts.first("a mail to 7", within: .milliseconds(1)) { $0 == 7 }
        } throws: { "\($0)".contains("a mail to 7, among 1 facts") }
        await #expect { try await facts.waitForCount(2, within: .milliseconds(1)) } throws: { "\($0)".contains("1 of 2 facts") }
    }

    @Test func `facts from many tasks are all kept`() async throws {
        let facts = RecordedFacts<Int>()
        async let all = facts.waitForCount(800)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask { for number in 0..<100 { facts.record(task * 100 + number) } }
            }
        }
        #expect(try await Set(all) == Set(0..<800))
    }

    @Test func `a cancelled task stops waiting`() async {
        let facts = RecordedFacts<Int>()
        let waiter = Task { try await facts.first { _ in false } }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
    }
}
