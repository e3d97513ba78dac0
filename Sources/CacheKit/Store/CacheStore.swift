/// Where a cache keeps its entries.
///
/// For those who write a store. Each verb is one atomic step at the store, for one key: no other client's verb may take effect between its
/// test and its write. Nothing else is asked: no order between keys, no durability, no eviction policy; an entry, an epoch or a
/// sequence may vanish at any time. Any error that a verb throws counts as "the store is down" unless it is a ``CacheError`` with
/// another code. A verb whose task is cancelled may have taken effect or not.
///
/// A load may replace exactly the record that it saw, or nothing: ``begin(_:seen:token:lease:)`` plants a token into the
/// record seen (or into an empty record where there was none), and ``commit(_:token:record:life:)`` writes only where the token still
/// stands. Whatever else happens to a key takes the token away. The layout of a record is ``RecordBytes``.
///
/// `CacheStoreConformance` of CacheKitTesting checks all of this.
public protocol CacheStore: Sendable {
    var capabilities: CacheStoreCapabilities { get }

    /// The entries at `keys` and the epochs of `tags`, in their order. An entry whose physical life is over is absent; one whose
    /// freshness is over may still be returned. Reading an epoch that does not exist does not create it.
    func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading

    /// Takes the lease for a load.
    ///
    /// Where nothing is stored and nothing was seen, stores an empty record with the token that lives as long as the lease. Where a record
    /// is stored whose first bytes are not those seen, answers `changed`. Where another load's lease stands, answers `held`. Otherwise
    /// sets token and deadline in place and lets the record live at least as long as the lease. Bytes that are no record are replaced by an
    /// empty record, if they are those seen.
    func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer

    /// Takes the lease whatever is stored and whoever holds it, for a write that has the last word: what is stored stays readable
    /// until the commit.
    func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws

    /// Replaces the record if the token in it is this one; its nonce is the new record's, and its lease is none.
    func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer

    /// Drops the lease if the token is this one; an empty record goes with it.
    func abandon(_ key: CacheKey, token: LeaseToken) async throws

    /// Removes entry and lease. For each key whether a value or counter was there; an empty record counts as absent.
    func remove(_ keys: [CacheKey]) async throws -> [Bool]

    /// Ends the freshness of a record, which stays: fresh until becomes 0, the nonce new, the lease none. Whether a value was there.
    func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool

    /// The epochs of `tags`, in their order; creates the missing ones at random, so that all callers get the same.
    func epochs(of tags: [CacheTag]) async throws -> [TagEpoch]

    /// The namespace's sequence, which every invalidation of a tag in it changes; created at random when missing.
    func sequence(of namespace: String) async throws -> UInt64

    /// Gives each tag a new random epoch, and before that its namespace a new random sequence.
    func invalidate(_ tags: [CacheTag]) async throws

    /// Writes records whatever is stored. One result per write, in their order: a write that fails harms no other.
    func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>]

    /// Writes a record if the entry is still the one seen, whether or not a lease stands.
    func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer

    /// Gives an entry that is still the one seen a new life; for a counter the physical one.
    func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer

    /// Adds to a counter and returns its new value; its life stays. A missing one (an empty record counts as missing) begins
    /// at `initial` with `life` before `amount` is added. Throws ``CacheError/Code/missingCounter`` when `initial` is `nil`,
    /// ``CacheError/Code/counterOverflow``, and ``CacheError/Code/wrongKind`` where a value is stored.
    func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64

    /// Writes a counter whatever is stored.
    func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws
}

/// A record on its way to a store.
public struct StoreWrite: Sendable {
    public var key: CacheKey
    public var record: CacheRecord
    public var life: CacheLife

    public init(key: CacheKey, record: CacheRecord, life: CacheLife) {
        self.key = key
        self.record = record
        self.life = life
    }
}
