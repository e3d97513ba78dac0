internal import QueueKit
internal import ScaleTesting

extension BrokerConformance {
    static let leasing: [Case] = [
        Case("a leased message is nobody else's") { subject in
            try await subject.publish(1)
            _ = try await subject.takeOne()
            try await subject.expectNothing()
        },
        Case("a message whose lease ends comes back once, as a loss, under a larger token") { subject in
            try await subject.publish(1)
            let first = try await subject.takeOne(owner: "a")
            try await subject.passLease()
            let second = try await subject.takeOne(owner: "b")
            try expectEqual(second.losses, 1)
            try expectEqual(second.message, first.message)
            try expect(second.lease.fencingToken > first.lease.fencingToken, "the token does not grow")
            try await subject.expectNothing()
        },
        Case("messages that are released or lost keep their place, where the broker says so") { subject in
            guard subject.broker.capabilities.keepsOrder else { return }
            for number in 1...2 { try await subject.publish(number) }
            let lost = try await subject.take(2)
            try expectEqual(lost.count, 2)
            try await subject.pass(subject.lease / 2)
            try await subject.publish(3)
            try await subject.pass(subject.lease / 2)
            let again = try await subject.take(2)
            try expectEqual(try again.map { try Subject.number(of: $0.message) }, [1, 2])
            try await subject.publish(4)
            for delivery in again.reversed() { try await subject.broker.release(delivery.lease) }
            try expectEqual(try await subject.take(4).map { try Subject.number(of: $0.message) }, [1, 2, 3, 4])
        },
        Case("who asks for messages in order gets none while others have some, where the broker keeps order") { subject in
            guard subject.broker.capabilities.keepsOrder else { return }
            for number in 1...3 { try await subject.publish(number) }
            let held = try await subject.takeOne()
            let request = ReceiveRequest(
                queues: [Subject.queue], limit: 3, lease: subject.lease, owner: "b", waits: false, inOrder: true)
            try expectEqual(try await subject.broker.receive(request).count, 0)
            try await subject.broker.release(held.lease)
            try expectEqual(try await subject.broker.receive(request).map { try Subject.number(of: $0.message) }, [1, 2, 3])
            try await subject.passLease()
            try expectEqual(try await subject.broker.receive(request).map { try Subject.number(of: $0.message) }, [1, 2, 3])
        },
        Case("the owner of an ended lease is refused, and the new owner's message is untouched") { subject in
            try await subject.publish(1)
            let late = try await subject.takeOne(owner: "a")
            try await subject.passLease()
            let current = try await subject.takeOne(owner: "b")
            try await subject.expectRefused(late.lease)
            try await subject.broker.acknowledge(current.lease)
            try await subject.expectCounts(QueueCounts())
        },
        Case("an ended lease is refused even when nobody has taken the message yet") { subject in
            try await subject.publish(1)
            let late = try await subject.takeOne()
            try await subject.passLease()
            try await subject.expectRefused(late.lease)
            try expectEqual(try Subject.number(of: try await subject.takeOne().message), 1)
        },
        Case("the same owner's old token is refused, too") { subject in
            try await subject.publish(1)
            let old = try await subject.takeOne(owner: "a")
            try await subject.passLease()
            let new = try await subject.takeOne(owner: "a")
            try await subject.expectRefused(old.lease)
            try await subject.broker.acknowledge(new.lease)
        },
        Case("an extended lease holds from the moment of the extension") { subject in
            try await subject.publish(1)
            let delivery = try await subject.takeOne()
            for _ in 0..<3 {
                try await subject.pass(subject.lease * 2 / 3)
                try expectEqual(try await subject.broker.extend([delivery.lease], by: subject.lease), [])
                try await subject.expectNothing()
            }
            try await subject.broker.acknowledge(delivery.lease)
        },
        Case("of several leases, those that hold are extended and those that ended are named") { subject in
            try await subject.publish(1)
            let early = try await subject.takeOne()
            try await subject.pass(subject.lease / 2)
            try await subject.publish(2)
            let later = try await subject.takeOne()
            try await subject.pass(subject.lease / 2)
            try expectEqual(try await subject.broker.extend([early.lease, later.lease], by: subject.lease), [early.lease])
            try await subject.pass(subject.lease * 2 / 3)
            try await subject.broker.acknowledge(later.lease)
        },
        Case("losses add up") { subject in
            try await subject.publish(1)
            for losses in 0..<4 {
                try expectEqual(try await subject.takeOne().losses, losses)
                try await subject.passLease()
            }
        },
        Case("workers at once never get the same message") { subject in
            for number in 0..<60 { try await subject.publish(number) }
            let numbers = try await withThrowingTaskGroup(of: [Int].self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        var numbers: [Int] = []
                        while true {
                            let deliveries = try await subject.take(3, owner: "worker \(worker)")
                            if deliveries.isEmpty { return numbers }
                            for delivery in deliveries {
                                numbers.append(try Subject.number(of: delivery.message))
                                try await subject.broker.acknowledge(delivery.lease)
                            }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try expectEqual(numbers.sorted(), Array(0..<60))
        },
    ]
}
