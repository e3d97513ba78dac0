import ScaleCore
import Testing

@testable import QueueKit

@Suite struct LamportClockTests {
    @Test func `what follows a time from elsewhere is later than it`() {
        var clock = LamportClock()
        #expect(clock.advance() == 1)
        clock.see(41)
        #expect(clock.advance() == 43)
        clock.see(3)
        #expect(clock.advance() == 45)
    }

    @Test(arguments: [Int64.max, -1, .min, 1 << 60])
    func `a time that is no count of events is ignored`(_ time: Int64) {
        var clock = LamportClock()
        clock.see(time)
        #expect(clock.advance() == 1)
    }
}

@Suite struct RevokedJobsTests {
    private static func id(_ number: Int) -> JobID { JobID(rawValue: "job-\(number)")! }
    private static func at(_ hours: Int) -> Instant { Instant(nanoseconds: Int64(hours) * 3_600_000_000_000) }

    @Test func `an id is kept for three hours, counted from the last time it was revoked`() {
        var revoked = RevokedJobs()
        revoked.insert(Self.id(1), at: Self.at(0))
        revoked.insert(Self.id(2), at: Self.at(0))
        revoked.insert(Self.id(1), at: Self.at(2))
        let (first, second) = (revoked.contains(Self.id(1), at: Self.at(4)), revoked.contains(Self.id(2), at: Self.at(4)))
        #expect(first && !second)
        #expect(revoked.ids(at: Self.at(4)) == [Self.id(1)])
        #expect(revoked.ids(at: Self.at(5)) == [])
    }

    @Test func `no more than fifty thousand are kept, the oldest go`() {
        var revoked = RevokedJobs()
        for number in 0..<50_010 { revoked.insert(Self.id(number), at: Self.at(0)) }
        let ids = revoked.ids(at: Self.at(0))
        #expect(ids.count == 50_000)
        #expect(ids.first == Self.id(10))
    }

    @Test func `an id that is revoked again and again takes no room`() {
        var revoked = RevokedJobs(capacity: 10)
        for number in 0..<1000 { revoked.insert(Self.id(1), at: Instant(nanoseconds: Int64(number))) }
        revoked.insert(Self.id(2), at: Instant(nanoseconds: 1000))
        #expect(revoked.ids(at: Instant(nanoseconds: 1001)) == [Self.id(1), Self.id(2)])
    }
}

@Suite struct MonitorOutboxTests {
    private static func event(_ clock: Int64, _ kind: WorkerEvent.Kind = .started(JobID(rawValue: "a")!)) -> WorkerEvent {
        WorkerEvent(kind: kind, time: MonitorWorld.time, clock: clock)
    }

    private static func answer(bytes: Int) -> MonitorPublication {
        MonitorPublication(
            exchange: "", routingKey: "r", message: Message(headers: [:], properties: .init(), body: Array(repeating: 0, count: bytes)))
    }

    @Test func `when too many events wait the oldest are dropped and counted`() {
        var outbox = MonitorOutbox(capacity: 3)
        for clock in 1...5 { outbox.add(Self.event(Int64(clock))) }
        #expect(outbox.dropped == 2)
        #expect(outbox.next() == [.jobs([3, 4, 5].map { Self.event($0) })])
        #expect(outbox.isEmpty)
    }

    @Test func `events go in messages of twenty-four, in their order`() {
        var outbox = MonitorOutbox(capacity: 100)
        for clock in 1...30 { outbox.add(Self.event(Int64(clock))) }
        #expect(outbox.next() == [.jobs((1...24).map { Self.event($0) }), .jobs((25...30).map { Self.event($0) })])
    }

    @Test func `answers are bounded by their bytes, and forgotten with the link`() {
        let room = MonitorOutbox.answerOverhead
        var outbox = MonitorOutbox(capacity: 1, answerBytes: 2 * room + 10)
        outbox.add(Self.answer(bytes: 8))
        outbox.add(Self.answer(bytes: 3))
        #expect(outbox.dropped == 1)
        outbox.forgetAnswers()
        #expect(outbox.dropped == 2)
        outbox.add(Self.answer(bytes: room + 10))
        #expect(outbox.next() == [.answer(Self.answer(bytes: room + 10))])
    }

    @Test func `short answers are bounded by their number`() {
        var outbox = MonitorOutbox(capacity: 1)
        for _ in 0..<100_000 { outbox.add(Self.answer(bytes: 30)) }
        #expect((1..<20_000).contains(100_000 - outbox.dropped))
    }

    @Test func `heartbeats do not queue up, and the last word of a worker is that it ends`() {
        let load = WorkerLoad(active: 0, processed: 0)
        var outbox = MonitorOutbox(capacity: 9)
        outbox.set(Self.event(1, .heartbeat(load)))
        outbox.set(Self.event(2, .heartbeat(load)))
        outbox.add(Self.event(3))
        #expect(outbox.next() == [.worker(Self.event(2, .heartbeat(load))), .jobs([Self.event(3)])])
        outbox.set(Self.event(4, .offline(load)))
        outbox.add(Self.event(5))
        #expect(outbox.next() == [.jobs([Self.event(5)]), .worker(Self.event(4, .offline(load)))])
        #expect(outbox.next() == [])
    }
}

@Suite struct NodeNameTests {
    @Test(arguments: [
        ("", "swift@h"), ("w1", "w1@h"), ("w1@other", "w1@other"), ("a\u{0}b\n", "ab@h"), ("@", "@"),
    ])
    func `a name has a host and no control characters`(_ name: String, _ full: String) {
        #expect(NodeName.make(name, host: "h") == full)
    }

    @Test func `a name leaves room for the mailbox that is called after it`() {
        let name = NodeName.make(String(repeating: "ü", count: 5000), host: "h")
        #expect(MonitorAddress(node: name).mailbox.utf8.count <= 255)
    }
}

@Suite struct NodePatternTests {
    @Test(arguments: [
        ("*", true), ("w*@host", true), ("w?@host", true), ("w[0-9]@host", true), ("w[!0-9]@host", false), ("w", false), ("host", false),
        ("w1@hos[t", false), ("W1@host", false), ("", false), ("**1**@*t", true),
    ])
    func `a shell's pattern matches the whole name`(_ pattern: String, _ matches: Bool) {
        #expect((NodePattern(glob: pattern)?.matches("w1@host") ?? false) == matches)
    }

    @Test(arguments: [
        ("w1", true), ("1", false), (#"w\d@ho"#, true), ("^w1@host$", true), ("w1$", false), ("(w|x)+1@", true), ("(?:a|w1)@[a-i]o", true),
        (#"\w+@\w+$"#, true), (#"[^\d]1"#, true), (".*host", true), (".*?host", true), ("", true), ("x?w1?@", true), (#"w1\@host"#, true),
        // What is not known matches nothing.
        ("w1(?=@)", false), ("w{1}1", false), (#"(w)\1"#, false), ("(w1", false), ("w1)", false), ("[w1", false), ("*", false),
        (#"w1\"#, false),
    ])
    func `a regular expression matches from the name's beginning`(_ pattern: String, _ matches: Bool) {
        #expect((NodePattern(regularExpression: pattern)?.matches("w1@host") ?? false) == matches)
    }

    @Test func `repetitions within each other cost no more than beside each other`() {
        let name = String(repeating: "a", count: 190) + "@host"
        func nested(_ innermost: String, _ sign: String) -> String {
            String(repeating: "(", count: 15) + innermost + String(repeating: ")\(sign)", count: 15)
        }
        #expect(NodePattern(regularExpression: nested("b+", "+"))?.matches(name) == false)
        #expect(NodePattern(regularExpression: nested("a+", "+") + "b")?.matches(name) == false)
        #expect(NodePattern(regularExpression: nested("a*", "*") + "@host$")?.matches(name) == true)
        #expect(NodePattern(regularExpression: nested("a?", "*") + "$")?.matches(name) == false)
        #expect(NodePattern(regularExpression: "(()*)*(^)*a+(@|b)*host($)+")?.matches(name) == true)
    }

    @Test func `a pattern that would take a backtracking matcher for ever takes no time, and a long or deep one is refused`() {
        let name = String(repeating: "a", count: 190) + "@host"
        #expect(NodePattern(regularExpression: "((a+)+)+((a*)*)*((a|a)+)*$")?.matches(name) == false)
        #expect(NodePattern(glob: String(repeating: "*a", count: 128))?.matches(name) == false)
        #expect(NodePattern(regularExpression: String(repeating: "(", count: 200)) == nil)
        #expect(NodePattern(glob: String(repeating: "*", count: 100_000)) == nil)
    }
}
