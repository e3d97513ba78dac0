public import CacheKit

/// Where the prices are kept.
public protocol PriceDatabase: Sendable {
    func prices() async throws -> [String: Int]
    func setPrice(of title: String, to price: Int) async throws
}

/// The prices, cached for five minutes or until one changes.
public struct Catalogue: Sendable {
    private let cache: Cache
    private let database: any PriceDatabase

    public init(cache: Cache, database: any PriceDatabase) {
        self.cache = cache
        self.database = database
    }

    /// The price in cents by title.
    public func prices() async throws -> [String: Int] {
        let database = self.database
        return try await self.cache.value(for: "prices", expiresIn: .seconds(300), tags: ["prices"]) {
            try await database.prices()
        }
    }

    public func setPrice(of title: String, to price: Int) async throws {
        try await self.database.setPrice(of: title, to: price)
        try await self.cache.invalidate(tag: "prices")
    }
}
