import CacheKit

/// A memory store that says it can do less.
struct LesserStore: CacheStore {
    let base: MemoryStore
    let capabilities: CacheStoreCapabilities

    init(_ base: MemoryStore, _ change: (inout CacheStoreCapabilities) -> Void) {
        self.base = base
        var capabilities = base.capabilities
        change(&capabilities)
        self.capabilities = capabilities
    }

    /// Keeps values as bytes, as a server does. What is read has been through the bytes of a record.
    static func ofBytes(_ base: MemoryStore = MemoryStore()) -> LesserStore {
        LesserStore(base) { $0.keepsObjects = false }
    }

    func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        var reading = try await self.base.read(keys, epochs: tags)
        guard !self.capabilities.keepsObjects else { return reading }
        reading.entries = reading.entries.map { entry in
            guard case .record(let record) = entry else { return entry }
            return StoredEntry(bytes: RecordBytes.encode(record))
        }
        return reading
    }

    func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        try await self.base.begin(key, seen: seen, token: token, lease: lease)
    }

    func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        try await self.base.seize(key, token: token, lease: lease)
    }

    func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        try await self.base.commit(key, token: token, record: record, life: life)
    }

    func abandon(_ key: CacheKey, token: LeaseToken) async throws { try await self.base.abandon(key, token: token) }

    func remove(_ keys: [CacheKey]) async throws -> [Bool] { try await self.base.remove(keys) }

    func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool { try await self.base.expire(key, nonce: nonce) }

    func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] { try await self.base.epochs(of: tags) }

    func sequence(of namespace: String) async throws -> UInt64 { try await self.base.sequence(of: namespace) }

    func invalidate(_ tags: [CacheTag]) async throws { try await self.base.invalidate(tags) }

    func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] { try await self.base.write(writes) }

    func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer { try await self.base.write(write, seen: seen) }

    func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        try await self.base.touch(key, seen: seen, life: life)
    }

    func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        try await self.base.increment(key, by: amount, initial: initial, life: life)
    }

    func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        try await self.base.setCounter(key, to: value, life: life)
    }
}
