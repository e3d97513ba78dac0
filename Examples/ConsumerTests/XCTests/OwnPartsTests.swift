import BalancerKitTesting
import Bookshop
import BookshopFakes
import CacheKitTesting
import ScaleTesting
import XCTest

/// The shop's own store and strategy in the suites that ScaleKit's are put through, under XCTest.
final class OwnPartsTests: XCTestCase {
    func testTheShopsStoreKeepsEveryRuleOfACacheStore() async throws {
        let report = try await StoreUnderTest.conformance().run()
        XCTAssertFalse(report.passed.isEmpty)
        XCTAssertEqual(Set(report.skipped.values), ["the store keeps no counters"])
    }

    func testAStrategyThatAlwaysPrefersOneWarehouseKeepsAllRulesButThoseOfFairness() async throws {
        var suite = StrategyConformance { CheapestPostage() }
        suite.rules.removeAll { $0 == .respectsWeights || $0 == .starvesNobody }
        try suite.run()
        try await expectThrows(TestFailure.self) { try suite.check(.starvesNobody) }
    }
}
