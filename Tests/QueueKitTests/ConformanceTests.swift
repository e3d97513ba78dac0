import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@Suite struct ConformanceTests {
    @Test(arguments: BrokerConformance.cases)
    func `the memory broker conforms`(_ rule: BrokerConformance.Case) async throws {
        let time = ManualTime()
        try await rule.run(on: .init(MemoryBroker(time: time.source), time: time))
    }

    @Test(arguments: BrokerConformance.cases)
    func `the fake broker conforms`(_ rule: BrokerConformance.Case) async throws {
        let time = ManualTime()
        try await rule.run(on: .init(FakeBroker(time: time.source), time: time))
    }

    @Test(arguments: ResultStoreConformance.cases)
    func `the memory result store conforms`(_ rule: ResultStoreConformance.Case) async throws {
        let time = ManualTime()
        try await rule.run(on: .init(MemoryResultStore(time: time.source), time: time))
    }

    /// A broker that acknowledges nothing must not pass.
    @Test func `a broker that forgets acknowledgements is found out`() async throws {
        await #expect(throws: TestFailure.self) {
            try await BrokerConformance.run {
                let time = ManualTime()
                return .init(ForgetfulBroker(base: MemoryBroker(time: time.source)), time: time)
            }
        }
    }
}

private struct ForgetfulBroker: Broker {
    let base: MemoryBroker
    var capabilities: BrokerCapabilities { self.base.capabilities }

    func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try await self.base.publish(message, to: queue, notBefore: notBefore)
    }
    func receive(_ request: ReceiveRequest) async throws -> [Delivery] { try await self.base.receive(request) }
    func acknowledge(_ lease: Lease) async throws {}
    func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> { try await self.base.extend(leases, by: duration) }
    func release(_ lease: Lease) async throws { try await self.base.release(lease) }
    func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        try await self.base.retry(lease, with: message, notBefore: notBefore)
    }
    func deadLetter(_ lease: Lease, reason: String) async throws { try await self.base.deadLetter(lease, reason: reason) }
    func counts(of queue: String) async throws -> QueueCounts { try await self.base.counts(of: queue) }
    func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.base.deadLetters(of: queue, limit: limit)
    }
    func redrive(_ queue: String, limit: Int) async throws -> Int { try await self.base.redrive(queue, limit: limit) }
    func purge(_ queue: String) async throws -> Int { try await self.base.purge(queue) }
}
