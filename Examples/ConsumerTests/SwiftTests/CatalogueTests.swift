import Bookshop
import BookshopFakes
import CacheKit
import CacheKitTesting
import ScaleTesting
import Testing

/// The shop's prices on a fake cache store: manual time, recorded facts, faults.
@Suite struct CatalogueTests {
    @Test func `prices are read once in five minutes`() async throws {
        let test = try ShopUnderTest()
        for _ in 0..<3 { #expect(try await test.shop.catalogue.prices()["Emma"] == 900) }
        #expect(test.database.facts.all == [.read])
        #expect(test.store.facts.all.count { $0.verb == .commit && $0.names == ["prices"] } == 1)

        await test.time.advance(by: .seconds(299))
        _ = try await test.shop.catalogue.prices()
        #expect(test.database.facts.count == 1)
        await test.time.advance(by: .seconds(1))
        _ = try await test.shop.catalogue.prices()
        #expect(test.database.facts.count == 2)
    }

    /// reader:  asks, the database has answered ───────────────── is given the old price, which must not stay
    /// editor:                                   changes the price
    @Test func `a new price is not undone by a read that was under way`() async throws {
        let test = try ShopUnderTest()
        let answer = Gate("the database's answer")
        test.database.faults.plan(.pause(at: answer), for: .read)
        async let old = test.shop.catalogue.prices()
        try await answer.waitForArrivals()
        try await test.shop.catalogue.setPrice(of: "Emma", to: 700)
        answer.open()
        #expect(try await old["Emma"] == 900)
        #expect(try await test.shop.catalogue.prices()["Emma"] == 700)
        try test.database.faults.expectAllStruck()
    }

    @Test func `with the cache down prices come from the database`() async throws {
        let test = try ShopUnderTest()
        test.store.faults.plan(.failure(FakeCacheStore.down), times: nil) { _ in true }
        for _ in 0..<2 { #expect(try await test.shop.catalogue.prices()["Emma"] == 900) }
        #expect(test.database.facts.all == [.read, .read])
    }

    @Test func `a price change that the cache could not be told is said, and told later`() async throws {
        let test = try ShopUnderTest()
        _ = try await test.shop.catalogue.prices()
        test.store.faults.failNext(.invalidate, with: FakeCacheStore.down)
        let error = try await expectThrows(CacheError.self) { try await test.shop.catalogue.setPrice(of: "Emma", to: 700) }
        #expect(error.code == .notConfirmed)
        #expect(try await test.shop.catalogue.prices()["Emma"] == 700)
        try test.store.faults.expectAllStruck()
    }
}
