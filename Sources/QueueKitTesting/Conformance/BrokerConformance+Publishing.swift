internal import QueueKit
internal import ScaleTesting

extension BrokerConformance {
    static let publishing: [Case] = [
        Case("a message is received as it was published") { subject in
            var message = Message(
                headers: ["task": "t", "id": "1", "nested": ["list": [1, 2.5, nil, true], "emoji": "😀"]], properties: .init(),
                body: Array(0...255))
            message.properties.contentType = "application/json"
            message.properties.contentEncoding = "utf-8"
            message.properties.correlationID = "1"
            message.properties.replyTo = "reply"
            message.properties.expiration = "60000"
            try await subject.broker.publish(message, to: Subject.queue, notBefore: nil)
            let delivery = try await subject.takeOne(owner: "me")
            try expectEqual(delivery.message, message)
            try expectEqual(delivery.losses, 0)
            try expectEqual(delivery.lease.queue, Subject.queue)
            try expectEqual(delivery.lease.owner, "me")
        },
        Case("messages are received in the order of publishing") { subject in
            for number in 1...5 { try await subject.publish(number) }
            let numbers = try await subject.take(5).map { try Subject.number(of: $0.message) }
            try expectEqual(numbers, [1, 2, 3, 4, 5])
        },
        Case("a larger priority is received first, where the broker orders by priority") { subject in
            guard subject.broker.capabilities.ordersByPriority else { return }
            for (number, priority) in [(1, 0), (2, 9), (3, 5), (4, 9)] { try await subject.publish(number, priority: priority) }
            let numbers = try await subject.take(4).map { try Subject.number(of: $0.message) }
            try expectEqual(numbers, [2, 4, 3, 1])
        },
        Case("a worker gets messages of the queues that it asks for, and no others") { subject in
            try await subject.publish(1, to: "conformance.one")
            try await subject.publish(2, to: "conformance.two")
            try await subject.publish(3, to: "conformance.other")
            let numbers = try await subject.take(5, from: ["conformance.one", "conformance.two"]).map { try Subject.number(of: $0.message) }
            try expectEqual(numbers.sorted(), [1, 2])
        },
        Case("queues whose names only look alike are two queues") { subject in
            // "é" as one scalar and as two: equal as Swift strings, and different bytes.
            let (one, other) = ("conformance.caf\u{E9}", "conformance.cafe\u{301}")
            for number in 1...2 { try await subject.publish(number, to: one) }
            try await subject.publish(3, to: other)
            try await subject.expectCounts(QueueCounts(ready: 2), of: one)
            try await subject.expectCounts(QueueCounts(ready: 1), of: other)
            try expectEqual(try await subject.take(5, from: [other]).map { try Subject.number(of: $0.message) }, [3])
            let delivery = try require(try await subject.take(1, from: [one]).first, "a message was expected")
            try await subject.broker.deadLetter(delivery.lease, reason: "dead")
            try expectEqual(try await subject.broker.deadLetters(of: other, limit: 5).count, 0)
            try expectEqual(try await subject.broker.redrive(other, limit: 5), 0)
            try expectEqual(try await subject.broker.purge(other), 0)
            try await subject.expectCounts(QueueCounts(ready: 1, dead: 1), of: one)
        },
        Case("no more messages are received than asked for") { subject in
            for number in 1...3 { try await subject.publish(number) }
            try expectEqual(try await subject.take(0).count, 0)
            try expectEqual(try await subject.take(-1).count, 0)
            try expectEqual(try await subject.take(2).count, 2)
            try expectEqual(try await subject.take(2).count, 1)
        },
        Case("a delayed message is not received before its time") { subject in
            try await subject.publish(1, after: subject.lease)
            try await subject.expectNothing()
            try await subject.expectCounts(subject.visible(QueueCounts(delayed: 1)))
            try await subject.pass(subject.lease / 2)
            try await subject.expectNothing()
            try await subject.pass(subject.lease / 2)
            try expectEqual(try Subject.number(of: try await subject.takeOne().message), 1)
        },
        Case("a queue's name that AMQP does not allow is refused") { subject in
            for name in ["", String(repeating: "q", count: 256), "line\nbreak"] {
                let error = try await expectThrows(QueueError.self) { try await subject.publish(1, to: name) }
                try expectEqual(error.code, .invalidQueueName)
            }
            try await subject.publish(1, to: String(repeating: "q", count: 255))
        },
        Case("counts tell ready, delayed, leased and dead apart") { subject in
            for number in 1...4 { try await subject.publish(number) }
            try await subject.publish(5, after: subject.lease * 10)
            let leased = try await subject.take(2)
            try expectEqual(leased.count, 2)
            try await subject.broker.deadLetter(leased[0].lease, reason: "dead")
            try await subject.expectCounts(subject.visible(QueueCounts(ready: 2, delayed: 1, leased: 1, dead: 1)))
            try await subject.expectCounts(QueueCounts(), of: "conformance.empty")
        },
        Case("purging removes what no worker holds, dead letters excepted") { subject in
            for number in 1...4 { try await subject.publish(number) }
            let countsDelayed = subject.broker.capabilities.countsDelayed
            if countsDelayed { try await subject.publish(5, after: subject.lease) }
            let leased = try await subject.take(2)
            try expectEqual(leased.count, 2)
            try await subject.broker.deadLetter(leased[0].lease, reason: "dead")
            try expectEqual(try await subject.broker.purge(Subject.queue), countsDelayed ? 3 : 2)
            try await subject.expectCounts(QueueCounts(leased: 1, dead: 1))
            try await subject.broker.acknowledge(leased[1].lease)
            try await subject.passLease()
            try await subject.expectNothing()
        },
    ]
}
