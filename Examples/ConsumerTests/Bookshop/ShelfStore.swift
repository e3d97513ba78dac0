public import CacheKit
public import ScaleCore

/// A cache store of the shop's own: records on a shelf in this process. It keeps no counters, and says so.
public actor ShelfStore: CacheStore {
    public nonisolated let capabilities = CacheStoreCapabilities(maximumValueSize: 1 << 20, maximumKeyLength: nil, counters: false)

    private struct Entry {
        var record: CacheRecord
        var leaseEnd = Instant.distantFuture
        var end: Instant
    }

    private var entries: [CacheKey: Entry] = [:]
    private var epochs: [CacheTag: TagEpoch] = [:]
    private var sequences: [String: UInt64] = [:]
    private let time: TimeSource

    public init(time: TimeSource = .system) {
        self.time = time
    }

    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) -> StoreReading {
        StoreReading(
            entries: keys.map { key in self.live(key).map { .record($0.record) } ?? .absent }, epochs: tags.map { self.epochs[$0] })
    }

    // MARK: Loading

    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) -> BeginAnswer {
        guard self.sighting(of: key) == seen else { return .changed }
        let now = self.time.now()
        if let entry = self.live(key), let holder = entry.record.lease, holder != token, now < entry.leaseEnd {
            return .held(by: holder, remaining: now.duration(to: entry.leaseEnd))
        }
        self.lend(key, to: token, for: lease)
        return .granted
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) {
        self.lend(key, to: token, for: lease)
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) throws -> CommitAnswer {
        try self.checkSize(record, key)
        guard self.live(key)?.record.lease == token else { return .refused }
        self.put(record, at: key, life: life)
        return .stored
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) {
        guard var entry = self.live(key), entry.record.lease == token else { return }
        entry.record.lease = nil
        self.entries[key] = entry.record.isEmpty ? nil : entry
    }

    // MARK: Removing

    public func remove(_ keys: [CacheKey]) -> [Bool] {
        keys.map { key in
            let entry = self.live(key)
            self.entries[key] = nil
            return entry.map { !$0.record.isEmpty } ?? false
        }
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) -> Bool {
        guard var entry = self.live(key) else { return false }
        entry.record.freshUntil = 0
        entry.record.nonce = nonce
        entry.record.lease = nil
        self.entries[key] = entry.record.isEmpty ? nil : entry
        return !entry.record.isEmpty
    }

    public func epochs(of tags: [CacheTag]) -> [TagEpoch] {
        tags.map { tag in
            let epoch = self.epochs[tag] ?? Self.newEpoch()
            self.epochs[tag] = epoch
            return epoch
        }
    }

    public func sequence(of namespace: String) -> UInt64 {
        let sequence = self.sequences[namespace] ?? .random(in: .min ... .max)
        self.sequences[namespace] = sequence
        return sequence
    }

    public func invalidate(_ tags: [CacheTag]) {
        for tag in tags {
            self.sequences[tag.namespace] = .random(in: .min ... .max)
            self.epochs[tag] = Self.newEpoch()
        }
    }

    // MARK: Writing

    public func write(_ writes: [StoreWrite]) -> [Result<Void, CacheError>] {
        writes.map { write in
            do throws(CacheError) {
                try self.checkSize(write.record, write.key)
                self.put(write.record, at: write.key, life: write.life)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
    }

    public func write(_ write: StoreWrite, seen: Sighting) throws -> WriteAnswer {
        try self.checkSize(write.record, write.key)
        guard self.sighting(of: write.key) == seen else { return .changed }
        self.put(write.record, at: write.key, life: write.life)
        return .stored
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) -> WriteAnswer {
        guard var entry = self.live(key), Sighting(of: entry.record) == seen else { return .changed }
        entry.record.freshUntil = self.milliseconds(life.fresh)
        entry.end = self.end(life.physical)
        self.entries[key] = entry
        return .stored
    }

    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) throws -> Int64 {
        throw Self.noCounters
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) throws {
        throw Self.noCounters
    }
}

// MARK: - The shelf

extension ShelfStore {
    private func live(_ key: CacheKey) -> Entry? {
        self.entries[key].flatMap { self.time.now() < $0.end ? $0 : nil }
    }

    private func sighting(of key: CacheKey) -> Sighting {
        self.live(key).map { Sighting(of: $0.record) } ?? .absent
    }

    private func put(_ record: CacheRecord, at key: CacheKey, life: CacheLife) {
        var entry = Entry(record: record, end: self.end(life.physical))
        entry.record.lease = nil
        entry.record.freshUntil = self.milliseconds(life.fresh)
        self.entries[key] = entry
    }

    /// Plants a lease into what lies there, or into an empty record.
    private func lend(_ key: CacheKey, to token: LeaseToken, for lease: Duration) {
        let end = self.time.now().advanced(by: lease)
        let empty = CacheRecord(
            flags: .empty, nonce: RecordNonce(high: .random(in: .min ... .max), low: .random(in: .min ... .max)), schema: 0, tags: [],
            body: .bytes([]))
        var entry = self.live(key) ?? Entry(record: empty, end: end)
        entry.record.lease = token
        entry.leaseEnd = end
        entry.end = max(entry.end, end)
        self.entries[key] = entry
    }

    private func checkSize(_ record: CacheRecord, _ key: CacheKey) throws(CacheError) {
        let limit = self.capabilities.maximumValueSize
        guard record.body.size <= limit else { throw .valueTooLarge(size: record.body.size, limit: limit, key: key.name) }
    }

    private func end(_ duration: Duration?) -> Instant {
        duration.map { self.time.now().advanced(by: $0) } ?? .distantFuture
    }

    private func milliseconds(_ fresh: Duration?) -> Int64 {
        fresh.map { self.time.utcNow().advanced(by: $0).millisecondsSinceEpoch } ?? .max
    }

    private static func newEpoch() -> TagEpoch { TagEpoch(bits: .random(in: .min ... .max)) }

    private static let noCounters = CacheError(code: .unsupported, message: "this store keeps no counters")
}
