public import Metrics
public import ScaleCore

/// A store in this process: least recently used entries give way when a bound is reached, entries expire one by one.
///
/// Values are kept decoded, so a hit decodes nothing; value types are isolated by copying, instances of classes are shared. Several
/// ``Cache``s may share one store, with different namespaces or the same, and are then as coherent as caches on two machines
/// that share a server.
///
/// A hit is O(1) and takes one lock; a write is O(log n) in the number of entries that expire. An expired entry is never returned, and
/// never keeps a place that a live one needs.
public final class MemoryStore: CacheStore {
    public let capabilities: CacheStoreCapabilities
    private let table: Locked<MemoryTable>
    private let time: TimeSource
    private let random: RandomSource
    private let evictions: EvictionCounters

    /// - Parameters:
    ///   - time: where expiry takes its time from; monotonic, so setting the machine's clock changes no life.
    ///   - metrics: where evictions are counted as `cache.evictions`; by default the process's metrics system.
    public init(
        limits: MemoryLimits = MemoryLimits(), time: TimeSource = .system, random: RandomSource = .system,
        metrics: (any MetricsFactory)? = nil
    ) {
        self.capabilities = CacheStoreCapabilities(
            maximumValueSize: max(limits.maximumCost, 0), maximumKeyLength: nil, counters: true, keepsObjects: true)
        self.table = Locked(MemoryTable(limits: limits, random: random))
        self.time = time
        self.random = random
        self.evictions = EvictionCounters(factory: metrics)
    }

    /// How many values and counters are kept; expired ones that nobody has asked for since may be among them.
    public var count: Int { self.table.withLock { $0.count } }

    /// What they cost, as ``MemoryLimits`` counts.
    public var cost: Int { self.table.withLock { $0.cost } }

    /// The number by which ``peek(_:in:)`` knows a namespace.
    func space(_ namespace: String) -> Int32 {
        let space = self.table.withLock { $0.space(namespace) }
        self.evictions.register(space, namespace: namespace)
        return space
    }

    /// The fresh value at a name, without suspending.
    @inline(__always)
    func peek(_ name: String, in space: Int32) -> CachedObject? {
        guard let found = self.table.withLock({ $0.peek(EntryKey(space: space, name: name)) }) else { return nil }
        // The clock is a large part of a hit: it is read outside the lock, and not at all for what never expires.
        return found.freshUntil == .distantFuture || self.time.now() < found.freshUntil ? found.object : nil
    }

    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        let utc = self.time.utcNow()
        return self.change { table, now in
            StoreReading(
                entries: keys.map { table.read($0, at: now, utc: utc) },
                epochs: tags.map { table.epochIfKnown(of: $0) })
        }
    }

    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        let nonce = self.newNonce()
        return self.change { table, now in
            table.begin(key, seen: seen, token: token, lease: lease, nonce: nonce, at: now)
        }
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        let nonce = self.newNonce()
        self.change { table, now in table.seize(key, token: token, lease: lease, nonce: nonce, at: now) }
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        try self.checkSize(record, key: key)
        return self.change { table, now in table.commit(key, token: token, record: record, life: life, at: now) }
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        self.change { table, now in table.abandon(key, token: token, at: now) }
    }

    public func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        self.change { table, now in keys.map { table.remove($0, at: now) } }
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        self.change { table, now in table.expire(key, nonce: nonce, at: now) }
    }

    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        self.table.withLock { table in tags.map { table.epoch(of: $0) } }
    }

    public func sequence(of namespace: String) async throws -> UInt64 {
        self.table.withLock { $0.sequence(of: namespace) }
    }

    public func invalidate(_ tags: [CacheTag]) async throws {
        self.table.withLock { table in tags.forEach { table.invalidate($0) } }
    }

    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        var results: [Result<Void, CacheError>] = []
        for write in writes {
            do throws(CacheError) {
                try self.checkSize(write.record, key: write.key)
                self.change { table, now in table.write(write, at: now) }
                results.append(.success(()))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        try self.checkSize(write.record, key: write.key)
        return self.change { table, now in table.write(write, seen: seen, at: now) }
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        self.change { table, now in table.touch(key, seen: seen, life: life, at: now) }
    }

    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        try self.change { (table, now) throws(CacheError) in
            try table.increment(key, by: amount, initial: initial, life: life, at: now)
        }
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        self.change { table, now in table.setCounter(key, to: value, life: life, at: now) }
    }

    // MARK: Shell

    /// One step of the table under the lock; after it evictions are counted, and values that gave way may end.
    private func change<Result: Sendable, Failure: Error>(
        _ step: (inout MemoryTable, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let now = self.time.now()
        let (result, evicted, displaced) = try self.table.withLock { table throws(Failure) in
            (try step(&table, now), table.takeEvictions(), table.takeDisplaced())
        }
        defer { withExtendedLifetime(displaced) {} }
        if !evicted.isEmpty { self.evictions.count(evicted) }
        return result
    }

    private func newNonce() -> RecordNonce {
        var random = self.random
        return .random(using: &random)
    }

    private func checkSize(_ record: CacheRecord, key: CacheKey) throws(CacheError) {
        // As the limits count: a record that alone is over the bound would push out all others and then itself.
        let size = MemoryTable.cost(ofName: key.name, tags: record.tags, body: record.body)
        let limit = self.capabilities.maximumValueSize
        guard size <= limit else { throw .valueTooLarge(size: size, limit: limit, key: key.name) }
    }
}
