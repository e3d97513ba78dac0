import ScaleCore
import ScaleTesting
import Testing

@testable import QueueKit

@Suite struct DeadlinesTests {
    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func `what ended is taken out in order, once, and what was moved or removed is not`() {
        var deadlines = Deadlines()
        for (key, time) in [(3, 30), (1, 10), (2, 20), (22, 20), (0, 5)] { deadlines.set(self.at(Int64(time)), for: UInt64(key)) }
        deadlines.remove(0)
        deadlines.set(self.at(40), for: 1)
        #expect(deadlines.earliest == self.at(20))
        #expect(deadlines.takeEnded(at: self.at(19)).isEmpty)
        #expect(deadlines.takeEnded(at: self.at(30)) == [2, 22, 3])
        #expect(deadlines.earliest == self.at(40))
        #expect(deadlines.takeEnded(at: self.at(99)) == [1])
        #expect(deadlines.earliest == nil)
    }

    @Test func `it behaves as a dictionary that is searched, whatever comes in whatever order`() async throws {
        try await withSeeds(20) { random in
            var deadlines = Deadlines()
            var model: [UInt64: Int64] = [:]
            for step in 0..<500 {
                let key = UInt64.random(in: 0..<20, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    let time = Int64.random(in: 0..<1000, using: &random)
                    deadlines.set(self.at(time), for: key)
                    model[key] = time
                case 2:
                    deadlines.remove(key)
                    model[key] = nil
                default:
                    let now = Int64.random(in: 0..<300, using: &random)
                    let ended = deadlines.takeEnded(at: self.at(now))
                    try expectEqual(Set(ended), Set(model.filter { $0.value <= now }.keys), "step \(step)")
                    model = model.filter { $0.value > now }
                }
                try expectEqual(deadlines.earliest, model.values.min().map(self.at), "step \(step)")
            }
        }
    }
}

@Suite struct AlarmTests {
    /// An owner with one deadline.
    private final class Owner: Sendable {
        let time = ManualTime()
        let deadline = Locked<Instant?>(nil)
        let fired = RecordedFacts<Instant>()

        func alarm() -> Alarm {
            let (time, fired) = (self.time, self.fired)
            return Alarm(
                time.source, nextDeadline: { self.deadline.withLock { $0 } },
                fire: {
                    self.deadline.withLock { $0 = nil }
                    fired.record(time.now())
                })
        }

        func set(_ seconds: Int64?, _ alarm: Alarm) {
            self.deadline.withLock { $0 = seconds.map { Instant(nanoseconds: $0 * 1_000_000_000) } }
            alarm.refresh()
        }
    }

    @Test func `a change concerns the alarm where it makes the deadline earlier, the first, or none`() {
        let (early, late) = (Instant(nanoseconds: 1), Instant(nanoseconds: 2))
        #expect(Alarm.isConcerned(by: late, early))
        #expect(Alarm.isConcerned(by: nil, late))
        #expect(Alarm.isConcerned(by: early, nil))
        #expect(!Alarm.isConcerned(by: early, late))
        #expect(!Alarm.isConcerned(by: early, early))
        #expect(!Alarm.isConcerned(by: nil, nil))
    }

    @Test func `a deadline that moves back is met at its new time and not at its old one, with one timer`() async throws {
        let owner = Owner()
        let alarm = owner.alarm()
        owner.set(10, alarm)
        try await owner.time.waitForSleepers(1)
        owner.set(30, alarm)
        #expect(owner.time.sleeperCount == 1)
        await owner.time.advance(by: .seconds(10))
        try await owner.time.waitForSleepers(1)
        #expect(owner.fired.all.isEmpty)
        await owner.time.advance(by: .seconds(20))
        try await eventually("it fires") { owner.fired.count == 1 }
        #expect(owner.fired.all == [Instant(nanoseconds: 30_000_000_000)])
    }

    @Test func `a deadline that moves forward is met in time, and none is none`() async throws {
        let owner = Owner()
        let alarm = owner.alarm()
        owner.set(30, alarm)
        try await owner.time.waitForSleepers(1)
        owner.set(10, alarm)
        try await eventually("the timer is an earlier one") { owner.time.nextDeadline == Instant(nanoseconds: 10_000_000_000) }
        owner.set(nil, alarm)
        try await eventually("there is no timer") { owner.time.sleeperCount == 0 }
        #expect(owner.fired.all.isEmpty)
    }
}
