import Bookshop
public import CacheKit
public import ScaleCore

/// The shop's store with one mistake: a load that ends stores its value whether or not its lease still stands, so that it can undo an
/// invalidation. Nothing else notices; the conformance suite must.
public struct CarelessStore: CacheStore {
    private let shelf: ShelfStore

    public init(time: TimeSource) {
        self.shelf = ShelfStore(time: time)
    }

    public var capabilities: CacheStoreCapabilities { self.shelf.capabilities }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        for result in await self.shelf.write([StoreWrite(key: key, record: record, life: life)]) { try result.get() }
        return .stored
    }

    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        await self.shelf.read(keys, epochs: tags)
    }

    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        await self.shelf.begin(key, seen: seen, token: token, lease: lease)
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        await self.shelf.seize(key, token: token, lease: lease)
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws { await self.shelf.abandon(key, token: token) }
    public func remove(_ keys: [CacheKey]) async throws -> [Bool] { await self.shelf.remove(keys) }
    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool { await self.shelf.expire(key, nonce: nonce) }
    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] { await self.shelf.epochs(of: tags) }
    public func sequence(of namespace: String) async throws -> UInt64 { await self.shelf.sequence(of: namespace) }
    public func invalidate(_ tags: [CacheTag]) async throws { await self.shelf.invalidate(tags) }
    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] { await self.shelf.write(writes) }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        try await self.shelf.write(write, seen: seen)
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        await self.shelf.touch(key, seen: seen, life: life)
    }

    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        try await self.shelf.increment(key, by: amount, initial: initial, life: life)
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        try await self.shelf.setCounter(key, to: value, life: life)
    }
}
