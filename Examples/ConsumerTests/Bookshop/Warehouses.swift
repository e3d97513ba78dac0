public import BalancerKit

/// The warehouses, any of which can ship a book.
public struct Warehouses: Sendable {
    private let balancer: Balancer
    private let order: @Sendable (_ warehouse: Endpoint, _ title: String) async throws -> Void

    /// - Parameter order: asks one warehouse for one copy; in production an HTTP request.
    public init(_ balancer: Balancer, order: @escaping @Sendable (_ warehouse: Endpoint, _ title: String) async throws -> Void) {
        self.balancer = balancer
        self.order = order
    }

    /// Orders one copy. Not idempotent: it is asked elsewhere only when the first one cannot have heard it.
    public func take(_ title: String) async throws {
        try await self.balancer.withEndpoint { warehouse in try await self.order(warehouse, title) }
    }
}

/// Prefers the warehouse with the largest weight, which the shop gives to the one with the cheapest postage, among those that can be asked.
public struct CheapestPostage: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        (0..<candidates.count).max { candidates.weight(at: $0) < candidates.weight(at: $1) }
    }
}
