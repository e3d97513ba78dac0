import ScaleTesting
import Testing

@testable import QueueKitRabbitMQ

@Suite struct UnsettledDeliveriesTests {
    private typealias Word = UnsettledDeliveries.Word

    /// What RabbitMQ makes of the words: a tag that it does not know is the end of the channel.
    private struct Server {
        var unsettled: Set<UInt64> = []
        var acknowledged: Set<UInt64> = []
        var back: Set<UInt64> = []

        mutating func hear(_ word: UnsettledDeliveries.Word) throws {
            switch word {
            case .acknowledge(let tag):
                try expectEqual(self.unsettled.remove(tag), tag, "acknowledged \(tag)")
                self.acknowledged.insert(tag)
            case .acknowledgeAllUpTo(let tag):
                try expectEqual(self.unsettled.contains(tag), true, "acknowledged up to \(tag)")
                self.acknowledged.formUnion(self.unsettled.filter { $0 <= tag })
                self.unsettled = self.unsettled.filter { $0 > tag }
            case .giveBack(let tag):
                try expectEqual(self.unsettled.remove(tag), tag, "given back \(tag)")
                self.back.insert(tag)
            }
        }
    }

    @Test func `an acknowledgement speaks for many where all before it are settled, and for one elsewhere`() {
        var deliveries = UnsettledDeliveries()
        for tag in 1...6 { deliveries.arrived(UInt64(tag)) }
        #expect(deliveries.settle([.acknowledge(2), .acknowledge(3)]) == [.acknowledge(2), .acknowledge(3)])
        #expect(deliveries.settle([.acknowledge(5), .acknowledge(4), .acknowledge(1)]) == [.acknowledgeAllUpTo(5)])
        #expect(deliveries.settle([.acknowledge(6)]) == [.acknowledgeAllUpTo(6)])
        #expect(deliveries.settle([]) == [])
    }

    @Test func `a message that is given back is so before an acknowledgement speaks for all up to a younger one`() {
        var deliveries = UnsettledDeliveries()
        for tag in 1...3 { deliveries.arrived(UInt64(tag)) }
        #expect(
            deliveries.settle([.acknowledge(1), .acknowledge(3), .giveBack(2)]) == [.giveBack(2), .acknowledgeAllUpTo(3)])
    }

    @Test func `the server settles what was asked for and nothing else, in whatever order it is asked for`() async throws {
        try await withSeeds(50) { random in
            var deliveries = UnsettledDeliveries()
            var server = Server()
            var held: [UInt64] = []
            var asked: (acknowledged: Set<UInt64>, back: Set<UInt64>) = ([], [])
            var lastTag: UInt64 = 0
            for _ in 0..<200 {
                for _ in 0..<Int.random(in: 0..<8, using: &random) {
                    lastTag += 1
                    deliveries.arrived(lastTag)
                    server.unsettled.insert(lastTag)
                    held.append(lastTag)
                }
                var settlements: [AMQPSettlement] = []
                for _ in 0..<Int.random(in: 0...held.count, using: &random) {
                    // The older the likelier.
                    let tag = held.remove(at: min(Int.random(in: 0..<held.count, using: &random), Int.random(in: 0..<4, using: &random)))
                    let isAcknowledged = Int.random(in: 0..<5, using: &random) > 0
                    settlements.append(isAcknowledged ? .acknowledge(tag) : .giveBack(tag))
                    if isAcknowledged { asked.acknowledged.insert(tag) } else { asked.back.insert(tag) }
                }
                for word in deliveries.settle(settlements) { try server.hear(word) }
                try expectEqual(server.acknowledged, asked.acknowledged)
                try expectEqual(server.back, asked.back)
            }
        }
    }

    @Test func `one that stays unsettled for long is not spoken for, however many come after it`() throws {
        var deliveries = UnsettledDeliveries()
        var server = Server()
        for tag in UInt64(1)...20_000 {
            deliveries.arrived(tag)
            server.unsettled.insert(tag)
            if tag == 1 || tag == 7 { continue }
            for word in deliveries.settle([.acknowledge(tag)]) { try server.hear(word) }
            try #require(server.unsettled == (tag < 7 ? [1] : [1, 7]))
        }
        for word in deliveries.settle([.acknowledge(7)]) { try server.hear(word) }
        #expect(server.unsettled == [1])
        for word in deliveries.settle([.acknowledge(1)]) { try server.hear(word) }
        #expect(server.unsettled.isEmpty)
        for tag in UInt64(20_001)...20_004 {
            deliveries.arrived(tag)
            server.unsettled.insert(tag)
        }
        #expect(deliveries.settle((20_001...20_004).map { .acknowledge($0) }) == [.acknowledgeAllUpTo(20_004)])
    }

    @Test(arguments: [[5], [1, 1], [1, 3], [0], [.max], [1, 2, .max]] as [[UInt64]])
    func `with a server whose tags do not count from one, each is settled by itself`(_ tags: [UInt64]) {
        var deliveries = UnsettledDeliveries()
        for tag in tags { deliveries.arrived(tag) }
        #expect(deliveries.settle(tags.map { .acknowledge($0) }) == tags.map { .acknowledge($0) })
        deliveries.arrived(2)
        #expect(deliveries.settle([.acknowledge(2), .giveBack(9)]) == [.giveBack(9), .acknowledge(2)])
    }
}
