public import QueueKit
public import SessionStore

/// A little bookshop on ScaleKit: visitors fill a basket and check out.
///
/// It is here to be tested as an application outside of ScaleKit is tested: see the two test targets beside it.
public struct Bookshop: Sendable {
    public let catalogue: Catalogue
    private let sessions: Sessions<Basket>
    private let queue: JobQueue
    private let warehouses: Warehouses

    public init(catalogue: Catalogue, sessions: Sessions<Basket>, queue: JobQueue, warehouses: Warehouses) {
        self.catalogue = catalogue
        self.sessions = sessions
        self.queue = queue
        self.warehouses = warehouses
    }

    /// Lets a visitor in, with an empty basket.
    public func enter() async throws -> SessionID {
        try await self.sessions.create(Basket()).id
    }

    /// Puts a book into the visitor's basket; two requests at the same time both succeed.
    public func add(_ title: String, to visitor: SessionID) async throws {
        _ = try await self.sessions.update(try await self.session(of: visitor)) { $0.titles.append(title) }
    }

    /// Takes the books from a warehouse, ends the visit, and promises a receipt by mail ten seconds later.
    ///
    /// - Returns: the sum of the present prices.
    public func checkOut(_ visitor: SessionID, email: String) async throws -> Int {
        let basket = try await self.session(of: visitor).payload
        guard !basket.titles.isEmpty else { throw ShopError.emptyBasket }
        let prices = try await self.catalogue.prices()
        let sum = try basket.titles.reduce(0) { sum, title in
            guard let price = prices[title] else { throw ShopError.unknownTitle(title) }
            return sum + price
        }
        // Only the request that ends the visit may sell, however often the button was pressed.
        guard try await self.sessions.end(visitor) else { throw ShopError.notHere }
        for title in basket.titles { try await self.warehouses.take(title) }
        try await self.queue.enqueue(SendReceipt(email: email, sum: sum), delay: .seconds(10))
        return sum
    }

    private func session(of visitor: SessionID) async throws -> Session<Basket> {
        guard let session = try await self.sessions.load(visitor) else { throw ShopError.notHere }
        return session
    }
}

/// What a visit remembers.
public struct Basket: Codable, Sendable {
    public var titles: [String] = []

    public init() {}
}

public enum ShopError: Error, Equatable {
    case emptyBasket
    case unknownTitle(String)
    /// No such visitor: never came, has left, or was idle too long.
    case notHere
}
