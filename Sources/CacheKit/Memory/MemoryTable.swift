import ScaleCore

/// The rules of a memory store as a value: entries, least recently used order, expiry, leases, tags.
///
/// Every verb of ``CacheStore`` is a method that takes the present time. Reading is O(1); a write is O(log n) where entries expire.
/// Leases without a value are kept beside the bounded entries: they end by themselves, and a load that has begun must not push a
/// value out before it has brought one.
struct MemoryTable {
    struct Slot {
        enum Content {
            case vacant
            case counter(Int64)
            case record(CacheRecord.Body)
        }

        var key = EntryKey(space: 0, name: "")
        var content = Content.vacant
        var flags: CacheRecord.Flags = []
        var nonce = RecordNonce(high: 0, low: 0)
        var lease: LeaseToken?
        var leaseEnd = Instant(nanoseconds: .min)
        var freshUntil = Instant(nanoseconds: .min)
        var physicalEnd = Instant(nanoseconds: .min)
        var schema: UInt64 = 0
        var incarnation: UInt64 = 0
        var tags: [TagStamp] = []
        var cost = 0
        /// The count of invalidations at which all stamps were last seen to be current.
        var validated: UInt64 = 0

        /// Whether it counts against the bounds.
        var isCounted: Bool {
            switch self.content {
            case .vacant: false
            case .counter: true
            case .record: !self.flags.contains(.empty)
            }
        }
    }

    let limits: MemoryLimits
    var slots: ContiguousArray<Slot> = []
    var random: RandomSource
    private var free: [Int] = []
    private var index = SlotIndex()
    private var recency = RecencyList()
    private var expiry = ExpiryHeap()
    var tags: TagTable
    private var spaces: [ExactName: Int32] = [:]

    /// How many values and counters are kept.
    private(set) var count = 0
    /// What they cost.
    private(set) var cost = 0
    /// The namespaces of entries that were evicted for room since the last ``takeEvictions()``.
    private var evictions: [Int32] = []
    /// Values that were replaced or dropped since the last ``takeDisplaced()``.
    private var displaced: [CachedObject] = []

    init(limits: MemoryLimits, random: RandomSource) {
        self.limits = limits
        self.random = random
        self.tags = TagTable(capacity: 65_536)
    }

    // MARK: Finding

    /// The number that stands for a namespace in this table.
    mutating func space(_ namespace: String) -> Int32 {
        if let space = self.spaces[name: namespace] { return space }
        let space = Int32(truncatingIfNeeded: self.spaces.count)
        self.spaces[name: namespace] = space
        return space
    }

    mutating func entryKey(_ key: CacheKey) -> EntryKey {
        EntryKey(space: self.space(key.namespace), name: key.name)
    }

    mutating func entryKey(_ tag: CacheTag) -> EntryKey {
        EntryKey(space: self.space(tag.namespace), name: tag.name)
    }

    /// The value at `key` if all its tags are current, and until when it is fresh; counts as a use. The path of a hit: O(1).
    @inline(__always)
    mutating func peek(_ key: EntryKey) -> (object: CachedObject, freshUntil: Instant)? {
        guard let slot = self.index[key], case .record(.object(let object)) = self.slots[slot].content else { return nil }
        if self.slots[slot].validated != self.tags.generation {
            guard self.revalidate(slot) else { return nil }
        }
        self.recency.touch(slot)
        return (object, self.slots[slot].freshUntil)
    }

    private mutating func revalidate(_ slot: Int) -> Bool {
        let space = self.slots[slot].key.space
        for tag in self.slots[slot].tags {
            guard self.tags.epoch(of: EntryKey(space: space, name: tag.name)) == tag.epoch else { return false }
        }
        self.slots[slot].validated = self.tags.generation
        return true
    }

    /// The slot of an entry whose physical life is not over.
    mutating func find(_ key: EntryKey, at now: Instant) -> Int? {
        guard let slot = self.index[key] else { return nil }
        guard now < self.slots[slot].physicalEnd else {
            self.drop(slot)
            return nil
        }
        return slot
    }

    // MARK: Changing

    /// Replaces whatever is at `key`, and makes room for it.
    mutating func put(_ entry: Slot, at now: Instant) {
        var entry = entry
        entry.cost = Self.cost(of: entry)
        let slot: Int
        if let existing = self.index[entry.key] {
            slot = existing
            self.uncount(slot)
            self.displace(slot)
        } else {
            slot = self.free.popLast() ?? self.grow()
            self.index[entry.key] = slot
        }
        self.slots[slot] = entry
        self.recount(slot, at: now)
    }

    /// Changes an entry in place; its bounds and expiry follow.
    mutating func update(_ slot: Int, at now: Instant, _ change: (inout Slot) -> Void) {
        self.uncount(slot)
        self.displace(slot)
        change(&self.slots[slot])
        self.slots[slot].cost = Self.cost(of: self.slots[slot])
        self.recount(slot, at: now)
    }

    mutating func drop(_ slot: Int) {
        self.uncount(slot)
        self.displace(slot)
        self.expiry.remove(slot)
        self.index[self.slots[slot].key] = nil
        self.slots[slot] = Slot()
        self.free.append(slot)
    }

    /// The namespaces of entries evicted for room since the last call, once per entry.
    mutating func takeEvictions() -> [Int32] {
        guard !self.evictions.isEmpty else { return [] }
        defer { self.evictions = [] }
        return self.evictions
    }

    /// The values that gave way since the last call. They end where the caller lets them: the end of a class' instance is its user's
    /// code, which must not run under the lock of this table.
    mutating func takeDisplaced() -> [CachedObject] {
        guard !self.displaced.isEmpty else { return [] }
        defer { self.displaced = [] }
        return self.displaced
    }

    private mutating func displace(_ slot: Int) {
        if case .record(.object(let object)) = self.slots[slot].content { self.displaced.append(object) }
    }

    private mutating func grow() -> Int {
        self.slots.append(Slot())
        return self.slots.count - 1
    }

    private mutating func uncount(_ slot: Int) {
        guard self.slots[slot].isCounted else { return }
        self.count -= 1
        self.cost -= self.slots[slot].cost
        self.recency.remove(slot)
    }

    private mutating func recount(_ slot: Int, at now: Instant) {
        self.expiry.set(slot, end: self.slots[slot].physicalEnd)
        if self.slots[slot].isCounted {
            self.count += 1
            self.cost += self.slots[slot].cost
            self.recency.insert(slot)
        }
        self.makeRoom(at: now)
    }

    /// Drops what has expired, then evicts the least recently used until the bounds hold.
    private mutating func makeRoom(at now: Instant) {
        while let (slot, end) = self.expiry.earliest, end <= now { self.drop(slot) }
        while self.isOverfull, let slot = self.recency.leastRecent {
            self.evictions.append(self.slots[slot].key.space)
            self.drop(slot)
        }
    }

    private var isOverfull: Bool {
        if let maximum = self.limits.maximumCount, self.count > max(maximum, 0) { return true }
        return self.cost > max(self.limits.maximumCost, 0)
    }

    /// What a record or counter costs: its value, key, tags, and a fixed share.
    private static func cost(of slot: Slot) -> Int {
        guard case .record(let body) = slot.content else { return MemoryLimits.entryOverhead + slot.key.name.utf8.count }
        return self.cost(ofName: slot.key.name, tags: slot.tags, body: body)
    }

    static func cost(ofName name: String, tags: [TagStamp], body: CacheRecord.Body) -> Int {
        tags.reduce(MemoryLimits.entryOverhead + name.utf8.count + body.size) { $0 + $1.name.utf8.count + 8 }
    }

    // MARK: For tests

    /// Names in the order of their latest use, latest first.
    var namesByRecency: [String] { self.recency.order.map { self.slots[$0].key.name } }
}
