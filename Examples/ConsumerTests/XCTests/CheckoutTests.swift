import BalancerKit
import BalancerKitTesting
import Bookshop
import BookshopFakes
import QueueKit
import QueueKitTesting
import ScaleTesting
import SessionStore
import SessionStoreTesting
import XCTest

/// A purchase, from the basket to the mailed receipt, under XCTest.
final class CheckoutTests: XCTestCase {
    func testAPurchasePromisesOneReceiptTenSecondsLater() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        let sum = try await test.shop.checkOut(visitor, email: "ada@example.com")
        XCTAssertEqual(sum, 900)

        let tenSeconds = Duration.seconds(10)
        try test.jobs.expectEnqueued(SendReceipt.self, count: 1, delay: tenSeconds...tenSeconds) { $0.email == "ada@example.com" }
        try await test.jobs.advance(by: .seconds(9))
        XCTAssertTrue(test.postman.mails.all.isEmpty)
        try await test.jobs.advance(by: .seconds(1))
        XCTAssertEqual(test.postman.mails.all, [.init(text: "You paid 900 cents.", email: "ada@example.com")])
    }

    func testAReceiptThatCouldNotBeMailedIsTriedAgain() async throws {
        struct DoorClosed: Error {}
        let test = try ShopUnderTest()
        test.postman.faults.failNext(times: 2, with: DoorClosed())
        _ = try await test.shop.checkOut(try await test.visitor(wants: "Emma"), email: "ada@example.com")
        let runs = try await test.jobs.advance(by: .seconds(200))
        XCTAssertEqual(runs, 3)
        XCTAssertEqual(test.postman.mails.count, 1)
    }

    func testNothingIsSoldTwiceHoweverOftenTheButtonIsPressed() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        let sold = await test.checkOutAtOnce(8, visitor)
        XCTAssertEqual(sold, 1)
        try test.jobs.expectEnqueued(SendReceipt.self, count: 1)
    }

    func testAnIdleVisitorIsForgotten() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.shop.enter()
        await test.time.advance(by: .seconds(1800))
        let error = try await expectThrows(ShopError.self) { try await test.shop.add("Emma", to: visitor) }
        XCTAssertEqual(error, .notHere)
        try test.jobs.expectNotEnqueued(SendReceipt.self)
    }

    func testWithoutTheSessionStoreNobodyIsSoldAnything() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        test.sessions.faults.failNext(with: FakeSessionStorage.unavailable)
        let error = try await expectThrows(SessionError.self) { try await test.shop.checkOut(visitor, email: "a@b") }
        XCTAssertEqual(error.code, .storageUnavailable)
        XCTAssertTrue(test.warehouses.facts.all.isEmpty)
    }

    func testAWarehouseThatIsClosedIsPassedOver() async throws {
        let test = try ShopUnderTest()
        test.warehouses.refuse("10.0.0.1:8001")
        _ = try await test.shop.checkOut(try await test.visitor(wants: "Emma"), email: "a@b")
        XCTAssertEqual(test.warehouses.answers(of: "10.0.0.2:8001"), 1)
    }
}
