import ScaleCore

/// The epochs and sequences of a memory store.
///
/// An epoch may be forgotten: it is created anew at random, so entries that carry the old one are missed, never wrongly current. That is
/// how the table stays bounded: tags live in two generations, those used recently and those before; when the first is full it becomes the
/// second, and what is not used until then is forgotten. All operations are O(1).
struct TagTable {
    private var recent: [EntryKey: TagEpoch] = [:]
    private var older: [EntryKey: TagEpoch] = [:]
    private var sequences: [Int32: UInt64] = [:]
    private let capacity: Int

    /// Counts invalidations. An entry whose stamps were all current at one count is current as long as the count stands.
    private(set) var generation: UInt64 = 1

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    mutating func epoch(of tag: EntryKey) -> TagEpoch? {
        if let epoch = self.recent[tag] { return epoch }
        guard let epoch = self.older.removeValue(forKey: tag) else { return nil }
        self.insert(epoch, for: tag)
        return epoch
    }

    mutating func epochOrCreate(of tag: EntryKey, random: inout some RandomNumberGenerator) -> TagEpoch {
        if let epoch = self.epoch(of: tag) { return epoch }
        let epoch = TagEpoch(bits: random.next())
        self.insert(epoch, for: tag)
        return epoch
    }

    mutating func sequence(of space: Int32, random: inout some RandomNumberGenerator) -> UInt64 {
        if let sequence = self.sequences[space] { return sequence }
        let sequence = random.next()
        self.sequences[space] = sequence
        return sequence
    }

    mutating func invalidate(_ tag: EntryKey, random: inout some RandomNumberGenerator) {
        self.sequences[tag.space] = random.next()
        self.older.removeValue(forKey: tag)
        self.insert(TagEpoch(bits: random.next()), for: tag)
        self.generation &+= 1
    }

    /// Forgets a tag's epoch, as a store under memory pressure may.
    mutating func forget(_ tag: EntryKey) {
        self.recent.removeValue(forKey: tag)
        self.older.removeValue(forKey: tag)
        self.generation &+= 1
    }

    /// Forgets a namespace's sequence.
    mutating func forgetSequence(of space: Int32) {
        self.sequences.removeValue(forKey: space)
    }

    private mutating func insert(_ epoch: TagEpoch, for tag: EntryKey) {
        if self.recent.count >= self.capacity, self.recent[tag] == nil {
            self.older = self.recent
            self.recent = [:]
        }
        self.recent[tag] = epoch
    }
}

/// A name in a namespace, whose name is replaced by a small number so that hashing a key hashes one string.
struct EntryKey: Hashable {
    let space: Int32
    let name: String

    @inline(__always)
    static func == (left: EntryKey, right: EntryKey) -> Bool {
        left.space == right.space && left.name.hasSameBytes(as: right.name)
    }

    @inline(__always)
    func hash(into hasher: inout Hasher) {
        // With the space, or a name that all namespaces have, as each has the tag "", would be searched among as many.
        self.name.hashBytes(into: &hasher)
        hasher.combine(self.space)
    }
}
