import QueueKit
import ScaleCore
import Testing

@testable import QueueKitRabbitMQ

@Suite struct DeliveryLedgerTests {
    private func item(_ number: UInt64, queue: String = "q", epoch: UInt64 = 1, losses: Int = 0) -> DeliveryLedger.Item {
        DeliveryLedger.Item(
            queue: queue, tag: .init(epoch: epoch, number: number),
            message: Message(headers: ["number": .integer(Int64(number))], properties: .init(), body: []), losses: losses)
    }

    private func request(_ limit: Int, from queues: [String] = ["q"]) -> ReceiveRequest {
        ReceiveRequest(queues: queues, limit: limit, lease: .nanoseconds(100), owner: "me")
    }

    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    private func ledger(_ count: UInt64) -> DeliveryLedger {
        var ledger = DeliveryLedger(startingAt: UTCTime(millisecondsSinceEpoch: 5))
        for number in 1...count { ledger.arrived(self.item(number), at: self.at(0)) }
        return ledger
    }

    @Test func `messages are leased in the order of their arrival, from the queues asked for, up to the limit`() {
        var ledger = self.ledger(3)
        ledger.arrived(self.item(9, queue: "other"), at: self.at(0))
        #expect(ledger.take(self.request(2), at: self.at(0)).map { $0.message.headers["number"]?.integerValue } == [1, 2])
        #expect(ledger.take(self.request(9), at: self.at(0)).map { $0.message.headers["number"]?.integerValue } == [3])
        #expect(ledger.waitingCount(of: "other") == 1)
        #expect(ledger.heldCount(of: "q") == 3)
        #expect(ledger.count == 4)
    }

    @Test func `tokens grow, also beyond those of an earlier process`() {
        var earlier = self.ledger(2)
        let old = earlier.take(self.request(2), at: self.at(0)).map(\.lease.fencingToken)
        var later = DeliveryLedger(startingAt: UTCTime(millisecondsSinceEpoch: 6))
        later.arrived(self.item(1), at: self.at(0))
        let new = later.take(self.request(1), at: self.at(0)).map(\.lease.fencingToken)
        #expect((old + new).sorted() == old + new)
        #expect(Set(old + new).count == 3)
        // Clocks out of range do not trap.
        _ = DeliveryLedger(startingAt: UTCTime(nanosecondsSinceEpoch: .max))
        _ = DeliveryLedger(startingAt: UTCTime(nanosecondsSinceEpoch: .min))
    }

    @Test func `a lease that ends is taken away once, and its owner is refused`() throws {
        var ledger = self.ledger(1)
        let lease = ledger.take(self.request(1), at: self.at(0))[0].lease
        #expect(ledger.nextDeadline == self.at(100))
        #expect(ledger.expire(at: self.at(99)).isEmpty)
        #expect(ledger.expire(at: self.at(100)).map(\.tag.number) == [1])
        #expect(ledger.expire(at: self.at(100)).isEmpty)
        #expect(throws: QueueError.self) { try ledger.settle(lease, at: self.at(100)) }
        #expect(ledger.extend([lease], by: .nanoseconds(100), at: self.at(100)) == [lease])
    }

    @Test func `an ended lease is refused before anybody has noticed its end`() {
        var ledger = self.ledger(1)
        let lease = ledger.take(self.request(1), at: self.at(0))[0].lease
        #expect(throws: QueueError.self) { try ledger.settle(lease, at: self.at(100)) }
    }

    @Test func `while a last word is carried out the lease does not end, and there is no second one`() throws {
        var ledger = self.ledger(1)
        let lease = ledger.take(self.request(1), at: self.at(0))[0].lease
        #expect(try ledger.settle(lease, at: self.at(99)).tag.number == 1)
        #expect(ledger.expire(at: self.at(500)).isEmpty)
        #expect(throws: QueueError.self) { try ledger.settle(lease, at: self.at(99)) }
        ledger.unsettled(lease)
        #expect(ledger.expire(at: self.at(500)).count == 1)
    }

    @Test func `a settled message is known no more`() throws {
        var ledger = self.ledger(1)
        let lease = ledger.take(self.request(1), at: self.at(0))[0].lease
        _ = try ledger.settle(lease, at: self.at(1))
        ledger.settled(lease)
        #expect(ledger.count == 0)
        #expect(ledger.nextDeadline == nil)
    }

    @Test func `with a connection go its messages, waiting and leased, and no others`() {
        var ledger = self.ledger(2)
        let lease = ledger.take(self.request(1), at: self.at(0))[0].lease
        ledger.arrived(self.item(1, epoch: 2), at: self.at(0))
        ledger.lost(epoch: 1)
        #expect(throws: QueueError.self) { try ledger.settle(lease, at: self.at(1)) }
        #expect(ledger.take(self.request(9), at: self.at(1)).count == 1)
    }

    @Test func `queues are told apart by their bytes`() {
        var ledger = DeliveryLedger(startingAt: UTCTime(millisecondsSinceEpoch: 0))
        ledger.arrived(self.item(1, queue: "e\u{301}"), at: self.at(0))
        #expect(ledger.take(self.request(1, from: ["\u{E9}"]), at: self.at(0)).isEmpty)
        #expect(ledger.take(self.request(1, from: ["e\u{301}"]), at: self.at(0)).count == 1)
    }

    @Test func `a lease that is extended ends later, also when its first end has been waited for`() throws {
        var ledger = self.ledger(2)
        let leases = ledger.take(self.request(2), at: self.at(0)).map(\.lease)
        #expect(ledger.extend([leases[0]], by: .nanoseconds(100), at: self.at(50)).isEmpty)
        #expect(ledger.nextDeadline == self.at(100))
        #expect(ledger.expire(at: self.at(149)).map(\.tag.number) == [2])
        #expect(ledger.nextDeadline == self.at(150))
        #expect(ledger.expire(at: self.at(150)).map(\.tag.number) == [1])
    }

    @Test func `messages that nobody asks for are told of, once in a while, and until somebody asks`() {
        var ledger = DeliveryLedger(startingAt: UTCTime(millisecondsSinceEpoch: 5), patience: .nanoseconds(10))
        ledger.arrived(self.item(1), at: self.at(0))
        ledger.arrived(self.item(2), at: self.at(5))
        #expect(ledger.nextDeadline == self.at(10))
        #expect(ledger.noteUnwanted(at: self.at(9)).isEmpty)
        #expect(ledger.noteUnwanted(at: self.at(10)) == ["q"])
        #expect(ledger.noteUnwanted(at: self.at(10)).isEmpty)
        #expect(ledger.nextDeadline == self.at(20))
        #expect(ledger.take(self.request(1), at: self.at(15)).count == 1)
        #expect(ledger.noteUnwanted(at: self.at(24)).isEmpty)
        #expect(ledger.noteUnwanted(at: self.at(25)) == ["q"])
        #expect(ledger.takeWaiting(of: "q").map(\.tag.number) == [2])
        #expect(ledger.noteUnwanted(at: self.at(99)).isEmpty)
    }
}
