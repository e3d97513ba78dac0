public import Bookshop
import ScaleCore
public import ScaleTesting

/// Prices in memory, with every read and write recorded, and a gate or an error where a test wants one.
public final class FakePriceDatabase: PriceDatabase {
    public enum Call: Hashable, Sendable {
        case read
        case write(String)
    }

    public let facts = RecordedFacts<Call>()
    public let faults = FaultScript<Call>()
    private let table: Locked<[String: Int]>

    public init(_ prices: [String: Int]) {
        self.table = Locked(prices)
    }

    public func prices() async throws -> [String: Int] {
        self.facts.record(.read)
        // Read first and then stopped, as a query is whose answer is still on its way.
        let prices = self.table.withLock { $0 }
        return try await self.faults.perform(.read) { prices }
    }

    public func setPrice(of title: String, to price: Int) async throws {
        self.facts.record(.write(title))
        try await self.faults.perform(.write(title)) { self.table.withLock { $0[title] = price } }
    }
}
