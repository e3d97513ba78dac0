public import CacheKit
public import ScaleTesting

/// A cache's store for tests: in memory, on manual time, with recorded facts and scripted faults.
///
/// ```swift
/// let fake = FakeCacheStore()
/// let cache = fake.cache(namespace: "profiles")
/// fake.faults.failNext(.read, with: FakeCacheStore.down)
/// await fake.time.advance(by: .seconds(300))
/// #expect(fake.facts.all.contains { $0.verb == .commit })
/// ```
///
/// It passes the conformance suite that the real stores pass. Every access goes through a verb, so that each can be made to fail;
/// `cached(for:)` therefore always answers `nil`, as before a store that is not in this process.
public final class FakeCacheStore: CacheStore {
    /// The verbs of `CacheStore`.
    public enum Verb: String, Hashable, Sendable, CaseIterable {
        case read, begin, seize, commit, abandon, remove, expire, epochs, sequence, invalidate, write, touch, increment, setCounter
    }

    /// One use of the store.
    public struct Fact: Hashable, Sendable {
        public let verb: Verb
        /// The names of keys or tags, without namespace.
        public let names: [String]
    }

    /// An error as of a store that cannot be reached.
    public static let down = CacheError(code: .storeUnavailable, message: "the fake store was told to be down")

    public let time: ManualTime
    public let facts = RecordedFacts<Fact>()
    /// Faults to strike at chosen verbs.
    public let faults = FaultScript<Verb>()
    private let memory: MemoryStore

    public init(limits: MemoryLimits = MemoryLimits(), time: ManualTime = ManualTime()) {
        self.time = time
        self.memory = MemoryStore(limits: limits, time: time.source)
    }

    public var capabilities: CacheStoreCapabilities { self.memory.capabilities }

    /// A cache on this store and its time. An invalidation that fails throws at once, and is repeated as time is moved.
    public func cache(namespace: String = "") -> Cache {
        var configuration = CacheConfiguration()
        configuration.time = self.time.source
        configuration.invalidationTimeLimit = .zero
        return Cache(store: self, namespace: namespace, configuration: configuration)
    }

    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        try await self.perform(.read, keys.map(\.name) + tags.map(\.name)) { try await self.memory.read(keys, epochs: tags) }
    }

    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        try await self.perform(.begin, [key.name]) { try await self.memory.begin(key, seen: seen, token: token, lease: lease) }
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        try await self.perform(.seize, [key.name]) { try await self.memory.seize(key, token: token, lease: lease) }
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        try await self.perform(.commit, [key.name]) {
            try await self.memory.commit(key, token: token, record: record, life: life)
        }
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        try await self.perform(.abandon, [key.name]) { try await self.memory.abandon(key, token: token) }
    }

    public func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        try await self.perform(.remove, keys.map(\.name)) { try await self.memory.remove(keys) }
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        try await self.perform(.expire, [key.name]) { try await self.memory.expire(key, nonce: nonce) }
    }

    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        try await self.perform(.epochs, tags.map(\.name)) { try await self.memory.epochs(of: tags) }
    }

    public func sequence(of namespace: String) async throws -> UInt64 {
        try await self.perform(.sequence, []) { try await self.memory.sequence(of: namespace) }
    }

    public func invalidate(_ tags: [CacheTag]) async throws {
        try await self.perform(.invalidate, tags.map(\.name)) { try await self.memory.invalidate(tags) }
    }

    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        try await self.perform(.write, writes.map(\.key.name)) { try await self.memory.write(writes) }
    }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        try await self.perform(.write, [write.key.name]) { try await self.memory.write(write, seen: seen) }
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        try await self.perform(.touch, [key.name]) { try await self.memory.touch(key, seen: seen, life: life) }
    }

    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        try await self.perform(.increment, [key.name]) {
            try await self.memory.increment(key, by: amount, initial: initial, life: life)
        }
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        try await self.perform(.setCounter, [key.name]) { try await self.memory.setCounter(key, to: value, life: life) }
    }

    private func perform<Result>(_ verb: Verb, _ names: [String], _ effect: () async throws -> Result) async throws -> Result {
        self.facts.record(Fact(verb: verb, names: names))
        return try await self.faults.perform(verb, effect)
    }
}
