import QueueKit
import ScaleCore
import Testing

@testable import QueueKitRabbitMQ

@Suite struct PublishEngineTests {
    private let later = Instant(nanoseconds: 1000)

    private func outgoing(_ name: String) -> AMQPOutgoing {
        AMQPOutgoing(
            exchange: "", routingKey: name, message: Message(headers: [:], properties: .init(), body: []), isMandatory: true)
    }

    /// An engine with a connection, and messages a, b, c … submitted.
    private func engine(_ count: Int, window: Int = 10) -> (engine: PublishEngine, ids: [UInt64]) {
        var engine = PublishEngine(window: window)
        engine.connected()
        let ids = (0..<count).map { self.submit("\($0)", to: &engine) }
        return (engine, ids)
    }

    private func submit(_ name: String, to engine: inout PublishEngine, deadline: Instant? = nil) -> UInt64 {
        let id = engine.nextID()
        engine.submit(self.outgoing(name), id: id, deadline: deadline ?? self.later)
        return id
    }

    @Test func `nothing is sent without a connection, and everything in order with one`() {
        var engine = PublishEngine(window: 10)
        for name in ["a", "b"] { _ = self.submit(name, to: &engine) }
        #expect(engine.nextBatch().isEmpty)
        #expect(engine.needsLink)
        engine.connected()
        #expect(engine.nextBatch().map(\.routingKey) == ["a", "b"])
        #expect(engine.nextBatch().isEmpty)
    }

    @Test func `no more are unconfirmed than the window has room for`() {
        var (engine, ids) = self.engine(5, window: 2)
        #expect(engine.nextBatch().count == 2)
        #expect(engine.nextBatch().isEmpty)
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).map(\.id) == [ids[0]])
        #expect(engine.nextBatch().map(\.routingKey) == ["2"])
    }

    @Test func `a confirm of many ends all up to its tag, one of one ends that one`() {
        var (engine, ids) = self.engine(4)
        _ = engine.nextBatch()
        #expect(engine.confirmed(tag: 3, multiple: false, isAccepted: true).map(\.id) == [ids[2]])
        #expect(engine.confirmed(tag: 3, multiple: true, isAccepted: true).map(\.id) == [ids[0], ids[1]])
        #expect(engine.confirmed(tag: 9, multiple: true, isAccepted: true).map(\.id) == [ids[3]])
        #expect(engine.confirmed(tag: 9, multiple: true, isAccepted: true).isEmpty)
    }

    @Test func `a refusal and a return are told apart from a confirm`() {
        var (engine, ids) = self.engine(3)
        let batch = engine.nextBatch()
        engine.returned(messageID: batch[1].messageID, text: "312 NO_ROUTE")
        engine.returned(messageID: "no number", text: "312 NO_ROUTE")
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: false).map(\.outcome) == [.rejected])
        let rest = engine.confirmed(tag: 3, multiple: true, isAccepted: true)
        #expect(rest.map(\.id) == [ids[1], ids[2]])
        #expect(rest.map(\.outcome) == [.unroutable("312 NO_ROUTE"), .confirmed])
    }

    @Test func `what was unconfirmed on a lost connection goes out first on the next, under the same id, and tags begin anew`() {
        var (engine, ids) = self.engine(3)
        let first = engine.nextBatch(limit: 2)
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).map(\.id) == [ids[0]])
        engine.disconnected()
        #expect(engine.needsLink)
        #expect(engine.nextBatch().isEmpty)
        engine.connected()
        let second = engine.nextBatch()
        #expect(second.map(\.routingKey) == ["1", "2"])
        #expect(second[0].messageID == first[1].messageID)
        #expect(engine.confirmed(tag: 2, multiple: true, isAccepted: true).map(\.id) == [ids[1], ids[2]])
    }

    @Test func `a blocked connection sends nothing, and still hears confirms`() {
        var (engine, ids) = self.engine(2)
        _ = engine.nextBatch(limit: 1)
        engine.blocked()
        #expect(engine.nextBatch().isEmpty)
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).map(\.id) == [ids[0]])
        engine.unblocked()
        #expect(engine.nextBatch().map(\.routingKey) == ["1"])
    }

    @Test func `what waits too long is given up, sent or not, and its confirm ends nothing`() {
        var engine = PublishEngine(window: 10)
        engine.connected()
        let early = self.submit("early", to: &engine, deadline: Instant(nanoseconds: 10))
        _ = engine.nextBatch()
        let waiting = self.submit("waiting", to: &engine, deadline: Instant(nanoseconds: 10))
        let late = self.submit("late", to: &engine, deadline: Instant(nanoseconds: 20))
        #expect(engine.nextDeadline == Instant(nanoseconds: 10))
        #expect(engine.expire(at: Instant(nanoseconds: 9)).isEmpty)
        #expect(engine.expire(at: Instant(nanoseconds: 10)) == [early, waiting])
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).isEmpty)
        #expect(engine.nextBatch().map(\.routingKey) == ["late"])
        #expect(engine.confirmed(tag: 2, multiple: false, isAccepted: true).map(\.id) == [late])
    }

    @Test func `closing gives everything up`() {
        var (engine, ids) = self.engine(2)
        _ = engine.nextBatch(limit: 1)
        #expect(engine.close() == ids)
        #expect(engine.nextBatch().isEmpty)
        #expect(engine.nextDeadline == nil)
    }

    @Test func `a caller can take back what is not on its way, and nothing else`() {
        var (engine, ids) = self.engine(3)
        _ = engine.nextBatch(limit: 1)
        #expect(engine.withdraw(ids[0]) == false)
        #expect(engine.withdraw(ids[1]) == true)
        #expect(engine.withdraw(ids[1]) == false)
        #expect(engine.nextBatch().map(\.routingKey) == ["2"])
        engine.disconnected()
        #expect(engine.withdraw(ids[0]) == true)
        #expect(engine.withdraw(ids[2]) == true)
        #expect(!engine.needsLink)
        #expect(engine.nextDeadline == nil)
    }

    @Test func `the message for which the server closes the channel is found, and the others are sent`() {
        var (engine, ids) = self.engine(4)
        #expect(engine.nextBatch().count == 4)
        // Which of the four it was, nobody says.
        #expect(engine.channelClosed(code: 406, text: "no").isEmpty)
        #expect(engine.nextBatch().map(\.routingKey) == ["0"])
        #expect(!engine.canSend)
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).map(\.id) == [ids[0]])
        #expect(engine.nextBatch().map(\.routingKey) == ["1"])
        let refused = engine.channelClosed(code: 406, text: "no")
        #expect(refused.map(\.id) == [ids[1]])
        #expect(refused.map(\.outcome) == [.refused(code: 406, text: "no")])
        #expect(engine.nextBatch().map(\.routingKey) == ["2"])
        #expect(engine.confirmed(tag: 1, multiple: false, isAccepted: true).map(\.id) == [ids[2]])
        #expect(engine.nextBatch().map(\.routingKey) == ["3"])
        #expect(engine.confirmed(tag: 2, multiple: false, isAccepted: true).map(\.id) == [ids[3]])
        // The window is as it was.
        _ = self.submit("5", to: &engine)
        _ = self.submit("6", to: &engine)
        #expect(engine.nextBatch().count == 2)
    }
}
