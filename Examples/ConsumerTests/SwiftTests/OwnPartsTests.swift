import BalancerKitTesting
import Bookshop
import BookshopFakes
import CacheKitTesting
import ScaleTesting
import Testing

/// The shop's own store and strategy in the suites that ScaleKit's are put through.
@Suite struct OwnPartsTests {
    @Test(arguments: StoreUnderTest.conformance().checks.map(\.name))
    func `the shop's store keeps every rule of a cache store`(rule: String) async throws {
        let suite = StoreUnderTest.conformance()
        let check = try #require(suite.checks.first { $0.name == rule })
        _ = try await suite.run(check)
    }

    @Test func `only rules about counters are skipped, since it has none`() async throws {
        let report = try await StoreUnderTest.conformance().run()
        #expect(Set(report.skipped.values) == ["the store keeps no counters"])
        #expect(report.passed.count > report.skipped.count)
    }

    @Test func `a strategy that always prefers one warehouse keeps all rules but those of fairness`() async throws {
        var suite = StrategyConformance { CheapestPostage() }
        suite.rules.removeAll { $0 == .respectsWeights || $0 == .starvesNobody }
        try suite.run()
        try await expectThrows(TestFailure.self) { try suite.check(.starvesNobody) }
    }
}
