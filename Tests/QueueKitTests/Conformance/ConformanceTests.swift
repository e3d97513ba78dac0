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

    @Test(arguments: CarelessBroker.Mistake.allCases)
    func `a broker with one mistake is found out`(_ mistake: CarelessBroker.Mistake) async throws {
        await #expect(throws: TestFailure.self) {
            try await BrokerConformance.run {
                let time = ManualTime()
                return .init(CarelessBroker(MemoryBroker(time: time.source), mistake), time: time, patience: .seconds(2))
            }
        }
    }
}
