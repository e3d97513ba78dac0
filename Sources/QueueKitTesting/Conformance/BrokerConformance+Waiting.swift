internal import QueueKit
internal import ScaleTesting

extension BrokerConformance {
    static let waiting: [Case] = [
        Case("a waiting worker is woken by a message") { subject in
            let waiting = subject.waiting()
            try await subject.publish(1)
            try expectEqual(try await subject.deliveries(waiting).map { try Subject.number(of: $0.message) }, [1])
        },
        Case("a waiting worker is woken when a delay is over") { subject in
            try await subject.publish(1, after: subject.lease)
            let waiting = subject.waiting()
            try await subject.passLease()
            try expectEqual(try await subject.deliveries(waiting).map { try Subject.number(of: $0.message) }, [1])
        },
        Case("a waiting worker is woken when a lease ends") { subject in
            try await subject.publish(1)
            _ = try await subject.takeOne(owner: "lost")
            let waiting = subject.waiting()
            try await subject.passLease()
            try expectEqual(try await subject.deliveries(waiting).map(\.losses), [1])
        },
        Case("a waiting worker is woken by a release, a retry and a redrive") { subject in
            try await subject.publish(1)
            let first = try await subject.takeOne()
            let afterRelease = subject.waiting()
            try await subject.broker.release(first.lease)
            let second = try require(try await subject.deliveries(afterRelease).first)
            let afterRetry = subject.waiting()
            try await subject.broker.retry(second.lease, with: Subject.message(2), notBefore: nil)
            let third = try require(try await subject.deliveries(afterRetry).first)
            try await subject.broker.deadLetter(third.lease, reason: "dead")
            let afterRedrive = subject.waiting()
            try await subject.broker.redrive(Subject.queue, limit: 1)
            try expectEqual(try await subject.deliveries(afterRedrive).count, 1)
        },
        Case("one message wakes one worker's wait; the other goes on waiting") { subject in
            let waits = [subject.waiting(owner: "a"), subject.waiting(owner: "b")]
            try await subject.publish(1)
            try await subject.publish(2)
            var numbers: [Int] = []
            for wait in waits { numbers += try await subject.deliveries(wait).map { try Subject.number(of: $0.message) } }
            try expectEqual(numbers.sorted(), [1, 2])
        },
        Case("a cancelled wait ends with CancellationError, and has leased nothing") { subject in
            let waiting = subject.waiting()
            waiting.cancel()
            try await expectThrows(CancellationError.self) { try await subject.deliveries(waiting) }
            try await subject.publish(1)
            try expectEqual(try await subject.takeOne().losses, 0)
        },
    ]
}
