import BalancerKit
import BalancerKitTesting
import Bookshop
import BookshopFakes
import QueueKit
import QueueKitTesting
import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

/// A purchase, from the basket to the mailed receipt.
@Suite struct CheckoutTests {
    @Test func `a purchase promises one receipt, ten seconds later`() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        try await test.shop.add("Ulysses", to: visitor)
        #expect(try await test.shop.checkOut(visitor, email: "ada@example.com") == 2400)

        let recorded = try test.jobs.expectEnqueued(SendReceipt.self, count: 1) { $0.email == "ada@example.com" }
        #expect(recorded.job == SendReceipt(email: "ada@example.com", sum: 2400))
        #expect(recorded.delay == .seconds(10))
        try await test.jobs.advance(by: .seconds(9))
        #expect(test.postman.mails.all.isEmpty)
        try await test.jobs.advance(by: .seconds(1))
        #expect(test.postman.mails.all == [.init(text: "You paid 2400 cents.", email: "ada@example.com")])
    }

    @Test func `a receipt that could not be mailed is tried again`() async throws {
        struct DoorClosed: Error {}
        let test = try ShopUnderTest()
        test.postman.faults.failNext(times: 2, with: DoorClosed())
        _ = try await test.shop.checkOut(try await test.visitor(wants: "Emma"), email: "ada@example.com")
        // Three tries: at 10 s, then within 60 s, then within 120 s.
        #expect(try await test.jobs.advance(by: .seconds(200)) == 3)
        #expect(test.postman.mails.count == 1)
        try test.postman.faults.expectAllStruck()
    }

    @Test func `nothing is sold twice, however often the button is pressed`() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        #expect(await test.checkOutAtOnce(8, visitor) == 1)
        try test.jobs.expectEnqueued(SendReceipt.self, count: 1)
    }

    @Test func `an idle visitor is forgotten, an empty basket is not sold`() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.shop.enter()
        await #expect(throws: ShopError.emptyBasket) { try await test.shop.checkOut(visitor, email: "a@b") }
        await test.time.advance(by: .seconds(1800))
        await #expect(throws: ShopError.notHere) { try await test.shop.add("Emma", to: visitor) }
        try test.jobs.expectNotEnqueued(SendReceipt.self)
    }

    @Test func `two requests of one visitor both reach the basket`() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.shop.enter()
        async let first: Void = test.shop.add("Emma", to: visitor)
        async let second: Void = test.shop.add("Emma", to: visitor)
        _ = try await (first, second)
        #expect(try await test.shop.checkOut(visitor, email: "a@b") == 1800)
    }

    @Test func `without the session store nobody is sold anything`() async throws {
        let test = try ShopUnderTest()
        let visitor = try await test.visitor(wants: "Emma")
        test.sessions.faults.failNext(with: FakeSessionStorage.unavailable)
        let error = try await expectThrows(SessionError.self) { try await test.shop.checkOut(visitor, email: "a@b") }
        #expect(error.code == .storageUnavailable)
        #expect(test.sessions.facts.all.last?.outcome == .failed)
        #expect(test.warehouses.facts.all.isEmpty)
    }

    @Test func `a warehouse that is closed is passed over`() async throws {
        let test = try ShopUnderTest()
        test.warehouses.refuse("10.0.0.1:8001")
        _ = try await test.shop.checkOut(try await test.visitor(wants: "Emma"), email: "a@b")
        #expect(test.warehouses.answers(of: "10.0.0.2:8001") == 1)
    }

    @Test func `an order that may have been heard is not given twice`() async throws {
        let test = try ShopUnderTest()
        test.warehouses.faults.failNext(with: VirtualCallError.connectionLost)
        let visitor = try await test.visitor(wants: "Emma")
        await #expect(throws: VirtualCallError.connectionLost) { try await test.shop.checkOut(visitor, email: "a@b") }
        #expect(test.warehouses.facts.all.count == 2)  // one call: it arrived, it failed
        try test.jobs.expectNotEnqueued(SendReceipt.self)
    }
}
