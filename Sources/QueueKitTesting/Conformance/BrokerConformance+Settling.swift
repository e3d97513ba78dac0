internal import QueueKit
internal import ScaleCore
internal import ScaleTesting

extension BrokerConformance {
    static let settling: [Case] = [
        Case("an acknowledged message never comes back") { subject in
            try await subject.publish(1)
            let delivery = try await subject.takeOne()
            try await subject.broker.acknowledge(delivery.lease)
            try await subject.passLease()
            try await subject.expectNothing()
            try await subject.expectCounts(QueueCounts())
        },
        Case("a message is settled once: what is said after that is refused") { subject in
            try await subject.publish(1)
            let delivery = try await subject.takeOne()
            try await subject.broker.acknowledge(delivery.lease)
            try await subject.expectRefused(delivery.lease)
        },
        Case("a released message is there at once, without a loss") { subject in
            try await subject.publish(1)
            let first = try await subject.takeOne()
            try await subject.broker.release(first.lease)
            let second = try await subject.takeOne()
            try expectEqual(second.message, first.message)
            try expectEqual(second.losses, 0)
            try await subject.expectRefused(first.lease)
        },
        Case("a retry replaces the message in one step, and keeps its losses") { subject in
            try await subject.publish(1)
            _ = try await subject.takeOne()
            try await subject.passLease()
            let delivery = try await subject.takeOne()
            try await subject.broker.retry(
                delivery.lease, with: Subject.message(2), notBefore: subject.utcNow().advanced(by: subject.lease))
            try await subject.expectCounts(subject.visible(QueueCounts(delayed: 1)))
            try await subject.expectRefused(delivery.lease)
            try await subject.expectNothing()
            try await subject.passLease()
            let again = try await subject.takeOne()
            try expectEqual(try Subject.number(of: again.message), 2)
            try expectEqual(again.losses, 1)
            try await subject.expectNothing()
        },
        Case("a retry without a delay is there at once") { subject in
            try await subject.publish(1)
            try await subject.broker.retry(try await subject.takeOne().lease, with: Subject.message(2), notBefore: nil)
            try expectEqual(try Subject.number(of: try await subject.takeOne().message), 2)
        },
        Case("a dead letter is kept with its reason, and not received") { subject in
            for number in 1...2 {
                try await subject.publish(number)
                try await subject.broker.deadLetter(try await subject.takeOne().lease, reason: "reason \(number)")
            }
            try await subject.passLease()
            try await subject.expectNothing()
            let letters = try await subject.broker.deadLetters(of: Subject.queue, limit: 10)
            try expectEqual(letters.map(\.reason), ["reason 1", "reason 2"])
            try expectEqual(try letters.map { try Subject.number(of: $0.message) }, [1, 2])
            try expectEqual(try await subject.broker.deadLetters(of: Subject.queue, limit: 1).count, 1)
            try expectEqual(try await subject.broker.deadLetters(of: "conformance.empty", limit: 1).count, 0)
        },
        Case("dead letters go back into their queue when told to, without losses") { subject in
            for number in 1...3 {
                try await subject.publish(number)
                let first = try await subject.takeOne()
                if number == 1 {
                    try await subject.passLease()
                    try await subject.broker.deadLetter(try await subject.takeOne().lease, reason: "dead")
                } else {
                    try await subject.broker.deadLetter(first.lease, reason: "dead")
                }
            }
            try expectEqual(try await subject.broker.redrive(Subject.queue, limit: 2), 2)
            let deliveries = try await subject.take(5)
            try expectEqual(try deliveries.map { try Subject.number(of: $0.message) }, [1, 2])
            try expectEqual(deliveries.map(\.losses), [0, 0])
            try await subject.expectCounts(QueueCounts(leased: 2, dead: 1))
        },
        Case("dead letters of chosen jobs go back into their queue, the others stay") { subject in
            var ids: [JobID] = []
            for number in 1...4 {
                try await subject.publish(number)
                let delivery = try await subject.takeOne()
                ids.append(try TaskMessage(delivery.message).id)
                try await subject.broker.deadLetter(delivery.lease, reason: "dead")
            }
            let (chosen, unknown) = (Set([ids[1], ids[3]]), JobID())
            try expectEqual(try await subject.broker.redrive(Subject.queue, jobs: []), [])
            try expectEqual(try await subject.broker.redrive("conformance.empty", jobs: chosen), [])
            try expectEqual(try await subject.broker.redrive(Subject.queue, jobs: chosen.union([unknown])), chosen)
            let deliveries = try await subject.take(5)
            try expectEqual(try deliveries.map { try Subject.number(of: $0.message) }.sorted(), [2, 4])
            try expectEqual(deliveries.map(\.losses), [0, 0])
            let rest = try await subject.broker.deadLetters(of: Subject.queue, limit: 10)
            try expectEqual(try rest.map { try Subject.number(of: $0.message) }, [1, 3])
            try expectEqual(rest.map(\.reason), ["dead", "dead"])
        },
    ]
}
