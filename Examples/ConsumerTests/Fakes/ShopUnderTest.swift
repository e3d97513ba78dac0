import BalancerKit
public import BalancerKitTesting
public import Bookshop
public import CacheKitTesting
public import QueueKitTesting
public import ScaleTesting
public import SessionStore
public import SessionStoreTesting

/// The bookshop on fakes: everything that it stands on is recorded, fails on demand, and lives on one time that the test moves.
public struct ShopUnderTest: Sendable {
    public let shop: Bookshop
    public let database = FakePriceDatabase(["Emma": 900, "Ulysses": 1500])
    public let postman = RecordingPostman()
    public let warehouses = VirtualEndpoints()
    public let jobs: RecordingQueue
    public let store: FakeCacheStore
    public let sessions: FakeSessionStorage

    /// The time of cache, sessions and jobs. To move it so that jobs run when they are due, use `jobs.advance(by:)`.
    public var time: ManualTime { self.jobs.time }

    public init() throws {
        let postman = self.postman
        self.jobs = RecordingQueue { SendReceipt.handle(in: &$0, postman: postman) }
        self.store = FakeCacheStore(time: self.jobs.time)
        self.sessions = FakeSessionStorage(time: self.jobs.time)
        let warehouses = self.warehouses
        let balancer = try Balancer(endpoints: ["10.0.0.1:8001", "10.0.0.2:8001"])
        self.shop = Bookshop(
            catalogue: Catalogue(cache: self.store.cache(namespace: "shop"), database: self.database),
            sessions: Sessions(storage: self.sessions, policy: SessionPolicy(idle: .seconds(1800))), queue: self.jobs.queue,
            warehouses: Warehouses(balancer) { warehouse, _ in try await warehouses.call(warehouse) })
    }

    /// A visitor with a book in the basket.
    public func visitor(wants title: String) async throws -> SessionID {
        let visitor = try await self.shop.enter()
        try await self.shop.add(title, to: visitor)
        return visitor
    }

    /// Presses the visitor's button `count` times at once.
    ///
    /// - Returns: how many of the presses sold something.
    public func checkOutAtOnce(_ count: Int, _ visitor: SessionID) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<count {
                group.addTask { (try? await self.shop.checkOut(visitor, email: "ada@example.com")) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }
}
