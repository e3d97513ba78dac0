import Bookshop
import BookshopFakes
import CacheKit
import CacheKitTesting
import ScaleTesting
import XCTest

/// The shop's prices on a fake cache store, under XCTest: the same fakes, and failures that are thrown.
final class CatalogueTests: XCTestCase {
    func testPricesAreReadOnceInFiveMinutes() async throws {
        let test = try ShopUnderTest()
        for _ in 0..<3 {
            let prices = try await test.shop.catalogue.prices()
            XCTAssertEqual(prices["Emma"], 900)
        }
        XCTAssertEqual(test.database.facts.all, [.read])
        XCTAssertTrue(test.store.facts.all.contains { $0.verb == .commit && $0.names == ["prices"] })

        await test.time.advance(by: .seconds(300))
        _ = try await test.shop.catalogue.prices()
        XCTAssertEqual(test.database.facts.count, 2)
    }

    /// reader:  asks, the database has answered ───────────────── is given the old price, which must not stay
    /// editor:                                   changes the price
    func testANewPriceIsNotUndoneByAReadThatWasUnderWay() async throws {
        let test = try ShopUnderTest()
        let answer = Gate("the database's answer")
        test.database.faults.plan(.pause(at: answer), for: .read)
        async let old = test.shop.catalogue.prices()
        try await answer.waitForArrivals()
        try await test.shop.catalogue.setPrice(of: "Emma", to: 700)
        answer.open()
        let (before, after) = (try await old, try await test.shop.catalogue.prices())
        XCTAssertEqual(before["Emma"], 900)
        XCTAssertEqual(after["Emma"], 700)
    }

    func testAPriceChangeThatTheCacheCouldNotBeToldIsSaidAndToldLater() async throws {
        let test = try ShopUnderTest()
        _ = try await test.shop.catalogue.prices()
        test.store.faults.failNext(.invalidate, with: FakeCacheStore.down)
        let error = try await expectThrows(CacheError.self) { try await test.shop.catalogue.setPrice(of: "Emma", to: 700) }
        XCTAssertEqual(error.code, .notConfirmed)
        let prices = try await test.shop.catalogue.prices()
        XCTAssertEqual(prices["Emma"], 700)
        try test.store.faults.expectAllStruck()
    }
}
