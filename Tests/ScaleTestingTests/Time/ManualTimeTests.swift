import ScaleCore
import ScaleTesting
import Testing

struct ManualTimeTests {
    private static func instant(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `time stands still until it is moved`() async {
        let time = ManualTime()
        #expect(time.now() == time.now())
        await time.advance(by: .seconds(3))
        #expect(time.now() == Self.instant(3))
        #expect(time.utcNow() == UTCTime(millisecondsSinceEpoch: 1_767_225_603_000))
    }

    @Test func `UTC alone can be moved`() {
        let time = ManualTime(utc: UTCTime(millisecondsSinceEpoch: 10_000))
        time.shiftUTC(by: .seconds(-4))
        #expect(time.utcNow() == UTCTime(millisecondsSinceEpoch: 6_000))
        #expect(time.now() == Instant(nanoseconds: 0))
        time.shiftUTC(by: .seconds(Int64.max))
        #expect(time.utcNow() == UTCTime(nanosecondsSinceEpoch: .max))
    }

    @Test func `a deadline that has passed is not slept for`() async throws {
        let time = ManualTime()
        await time.advance(by: .seconds(5))
        try await time.sleep(until: Self.instant(5))
        try await time.source.sleep(for: .seconds(-1))
        #expect(time.sleeperCount == 0)
    }

    @Test func `sleepers wake in the order of their deadlines, and of their coming`() async throws {
        let time = ManualTime()
        let facts = RecordedFacts<String>()
        var tasks: [Task<Void, any Error>] = []
        for (name, seconds) in [("b", 2), ("a", 1), ("c", 2), ("d", 3)] as [(String, Int64)] {
            tasks.append(
                Task {
                    try await time.sleep(until: Self.instant(seconds))
                    facts.record("\(name)@\(time.now().nanoseconds / 1_000_000_000)")
                })
            try await time.waitForSleepers(tasks.count)
        }
        #expect(time.nextDeadline == Self.instant(1))
        for (seconds, expected) in [(1, ["a@1"]), (1, ["a@1", "b@2", "c@2"]), (1, ["a@1", "b@2", "c@2", "d@3"])] as [(Int, [String])] {
            await time.advance(by: .seconds(seconds))
            let woken = try await facts.waitForCount(expected.count)
            #expect(woken.sorted() == expected)
        }
        for task in tasks { try await task.value }
        #expect(time.nextDeadline == nil)
    }

    @Test func `a sleeper is not woken a nanosecond early`() async throws {
        let time = ManualTime()
        let task = Task { try await time.sleep(until: Instant(nanoseconds: 10)) }
        try await time.waitForSleepers(1)
        await time.advance(by: .nanoseconds(9))
        #expect(time.sleeperCount == 1)
        await time.advance(by: .nanoseconds(1))
        try await task.value
    }

    @Test func `a poller polls once per interval, however far time is moved at once`() async throws {
        let time = ManualTime()
        let facts = RecordedFacts<Int64>()
        let poller = Task {
            while true {
                try await time.source.sleep(for: .seconds(10))
                facts.record(time.now().nanoseconds / 1_000_000_000)
            }
        }
        try await time.advance(by: .seconds(60), sleepers: 1)
        #expect(facts.all == [10, 20, 30, 40, 50, 60])
        #expect(time.now() == Self.instant(60))
        poller.cancel()
        await #expect(throws: CancellationError.self) { try await poller.value }
        #expect(time.sleeperCount == 0)
    }

    @Test func `two pollers keep their own intervals`() async throws {
        let time = ManualTime()
        let facts = RecordedFacts<String>()
        let pollers = [2, 3].map { seconds in
            Task {
                while true {
                    try await time.source.sleep(for: .seconds(seconds))
                    facts.record("\(seconds)@\(time.now().nanoseconds / 1_000_000_000)")
                }
            }
        }
        try await time.advance(by: .seconds(6), sleepers: 2)
        #expect(facts.all.sorted() == ["2@2", "2@4", "2@6", "3@3", "3@6"])
        pollers.forEach { $0.cancel() }
    }

    @Test func `moving for sleepers that do not come back fails with their number`() async throws {
        let time = ManualTime()
        let once = Task { try await time.source.sleep(for: .seconds(1)) }
        await #expect {
            try await time.advance(by: .seconds(60), sleepers: 1, within: .milliseconds(20))
        } throws: { "\($0)".contains("0 of 1 tasks sleep") }
        once.cancel()
        _ = await once.result
    }

    @Test func `waiting for sleepers is bounded`() async {
        await #expect {
            try await ManualTime().waitForSleepers(2, within: .milliseconds(1))
        } throws: { "\($0)".contains("0 of 2 tasks sleep") }
    }

    @Test func `a cancelled sleeper wakes at once and is forgotten`() async throws {
        let time = ManualTime()
        let (first, second) = (
            Task { try await time.source.sleep(for: .seconds(1)) }, Task { try await time.source.sleep(for: .seconds(1)) }
        )
        try await time.waitForSleepers(2)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(time.sleeperCount == 1)
        await time.advance(by: .seconds(1))
        try await second.value
    }

    @Test func `cancellation and waking that race wake once`() async throws {
        let time = ManualTime()
        for _ in 0..<200 {
            let sleeper = Task { try await time.source.sleep(for: .seconds(1)) }
            try await time.waitForSleepers(1)
            async let advanced: Void = time.advance(by: .seconds(1))
            sleeper.cancel()
            _ = await sleeper.result
            await advanced
            #expect(time.sleeperCount == 0)
        }
    }

    @Test func `code that sleeps again and again is run to its end`() async throws {
        let time = ManualTime()
        let total = try await time.run {
            for seconds in 1...20 { try await time.source.sleep(for: .seconds(seconds)) }
            return time.now()
        }
        #expect(total == Self.instant(210))
    }

    @Test func `code that never ends fails at the limit`() async {
        let time = ManualTime()
        await #expect {
            try await time.run(upTo: .seconds(60)) { while true { try await time.source.sleep(for: .seconds(7)) } }
        } throws: { "\($0)".contains("still running after 60.0 seconds of manual time") }
        #expect(time.now() == Self.instant(56))
    }

    @Test func `code that neither ends nor sleeps fails, and does not hang the test`() async {
        let time = ManualTime()
        await #expect {
            try await time.run(within: .milliseconds(5)) { try await TimeSource.system.sleep(until: .distantFuture) }
        } throws: {
            "\($0)".contains("neither at its end nor asleep")
        }
    }

    @Test func `what the code throws is passed on`() async {
        struct Boom: Error {}
        let time = ManualTime()
        await #expect(throws: Boom.self) {
            try await time.run {
                try await time.source.sleep(for: .seconds(1))
                throw Boom()
            }
        }
    }

    @Test func `moving to the end of time does not trap`() async throws {
        let time = ManualTime()
        await time.advance(by: .seconds(Int64.max))
        #expect(time.now() == .distantFuture)
        await time.advance(by: .seconds(1))
        #expect(time.now() == .distantFuture)
        #expect(time.utcNow() == UTCTime(nanosecondsSinceEpoch: .max))
    }
}
