import ScaleCore
import Testing

@testable import QueueKit

/// The relay's rules, event by event.
@Suite struct RelayEngineTests {
    private static let now = Instant(nanoseconds: 0)
    private static let end = Instant(nanoseconds: 1000)

    private static func delivery(_ number: Int64) -> Delivery {
        Delivery(
            lease: Lease(queue: "q", message: number, fencingToken: 1, owner: "me"),
            message: Message(headers: [:], properties: .init(), body: []), losses: 0)
    }

    /// An engine that holds messages 1, 2 and 3 and is about to publish the first.
    private static func holding() -> RelayEngine {
        var engine = RelayEngine()
        engine.received((1...3).map(self.delivery), until: self.end)
        return engine
    }

    private static func released(_ numbers: Int64...) -> RelayEngine.Step { .release(numbers.map { self.delivery($0).lease }) }

    @Test func `a message is published after the one before it was acknowledged`() {
        var engine = Self.holding()
        for number in Int64(1)...3 {
            #expect(engine.nextStep(at: Self.now) == .publish(Self.delivery(number)))
            engine.published(.confirmed)
            #expect(engine.nextStep(at: Self.now) == .acknowledge(Self.delivery(number).lease))
            engine.settled(.done)
        }
        #expect(engine.nextStep(at: Self.now) == .receive)
    }

    @Test func `a message that fails is tried again before the next`() {
        var engine = Self.holding()
        for failures in 1...5 {
            #expect(engine.nextStep(at: Self.now) == .publish(Self.delivery(1)))
            engine.published(.failed)
            #expect(engine.nextStep(at: Self.now) == .pause(failures: failures))
            engine.paused()
        }
    }

    @Test func `a message that is refused is buried, and the next goes on`() {
        var engine = Self.holding()
        engine.published(.refused(reason: "too large"))
        #expect(engine.nextStep(at: Self.now) == .bury(Self.delivery(1).lease, reason: "too large"))
        engine.settled(.done)
        #expect(engine.nextStep(at: Self.now) == .publish(Self.delivery(2)))
    }

    @Test func `after an acknowledgement that failed it is repeated, and nothing is published`() {
        var engine = Self.holding()
        engine.published(.confirmed)
        engine.settled(.failed)
        #expect(engine.nextStep(at: Self.now) == .pause(failures: 1))
        engine.paused()
        #expect(engine.nextStep(at: Self.now) == .acknowledge(Self.delivery(1).lease))
    }

    @Test func `after an acknowledgement that came too late the rest is given back, since that message comes again first`() {
        var engine = Self.holding()
        engine.published(.confirmed)
        engine.settled(.lost)
        #expect(engine.nextStep(at: Self.now) == Self.released(2, 3))
        engine.released()
        #expect(engine.nextStep(at: Self.now) == .receive)
    }

    @Test func `nothing is published when a lease is lost or may have ended`() {
        var engine = Self.holding()
        engine.extended(until: Self.end, lost: [Self.delivery(2).lease])
        #expect(engine.nextStep(at: Self.now) == Self.released(1, 2, 3))
        engine = Self.holding()
        #expect(engine.nextStep(at: Self.end) == Self.released(1, 2, 3))
        engine = Self.holding()
        engine.extended(until: Instant(nanoseconds: 2000), lost: [])
        #expect(engine.nextStep(at: Self.end) == .publish(Self.delivery(1)))
    }

    @Test func `at shutdown what is under way is settled, and the rest given back without a wait`() {
        var engine = Self.holding()
        #expect(engine.nextStep(at: Self.now) == .publish(Self.delivery(1)))
        engine.shutdown()
        engine.published(.confirmed)
        #expect(engine.nextStep(at: Self.now) == .acknowledge(Self.delivery(1).lease))
        engine.settled(.done)
        #expect(engine.nextStep(at: Self.now) == Self.released(2, 3))
        engine.released()
        #expect(engine.nextStep(at: Self.now) == .stop)
    }

    @Test func `a shutdown ends also when neither broker answers`() {
        var engine = Self.holding()
        engine.published(.failed)
        engine.shutdown()
        #expect(engine.nextStep(at: Self.now) == Self.released(1, 2, 3))
        engine.released()
        #expect(engine.nextStep(at: Self.now) == .stop)
        engine = Self.holding()
        engine.published(.confirmed)
        engine.shutdown()
        engine.settled(.failed)
        #expect(engine.nextStep(at: Self.now) == Self.released(2, 3))
        engine = RelayEngine()
        engine.sourceFailed()
        engine.shutdown()
        #expect(engine.nextStep(at: Self.now) == .stop)
    }
}
