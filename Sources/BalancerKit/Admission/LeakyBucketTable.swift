/// The buckets of one limit by key, at most so many, in the order in which their keys were last seen.
///
/// Finding, adding and forgetting take O(1): a dictionary into slots that are linked from the newest to the oldest.
struct LeakyBucketTable: Sendable {
    private struct Slot: Sendable {
        var key: String
        var bucket: LeakyBucket
        var newer: Int
        var older: Int
    }

    private static let none = -1

    private let capacity: Int
    private var slots: [Slot] = []
    private var slotOfKey: [String: Int] = [:]
    private var free: [Int] = []
    private var newest = Self.none
    private var oldest = Self.none

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { self.slotOfKey.count }
    var isFull: Bool { self.count >= self.capacity }

    /// The bucket of a key, which becomes the newest.
    mutating func see(_ key: String) -> LeakyBucket? {
        guard let index = self.slotOfKey[key] else { return nil }
        self.unlink(index)
        self.linkAsNewest(index)
        return self.slots[index].bucket
    }

    /// Stores the bucket of a key, which becomes the newest when it is new.
    mutating func store(_ bucket: LeakyBucket, for key: String) {
        if let index = self.slotOfKey[key] {
            self.slots[index].bucket = bucket
            return
        }
        let slot = Slot(key: key, bucket: bucket, newer: Self.none, older: Self.none)
        let index: Int
        if let reused = self.free.popLast() {
            index = reused
            self.slots[index] = slot
        } else {
            index = self.slots.count
            self.slots.append(slot)
        }
        self.slotOfKey[key] = index
        self.linkAsNewest(index)
    }

    /// The bucket whose key has not been seen for the longest.
    var oldestBucket: LeakyBucket? { self.oldest == Self.none ? nil : self.slots[self.oldest].bucket }

    mutating func removeOldest() {
        guard self.oldest != Self.none else { return }
        let index = self.oldest
        self.unlink(index)
        self.slotOfKey[self.slots[index].key] = nil
        self.slots[index].key = ""
        self.free.append(index)
    }

    private mutating func unlink(_ index: Int) {
        let (newer, older) = (self.slots[index].newer, self.slots[index].older)
        if newer == Self.none { self.newest = older } else { self.slots[newer].older = older }
        if older == Self.none { self.oldest = newer } else { self.slots[older].newer = newer }
    }

    private mutating func linkAsNewest(_ index: Int) {
        self.slots[index].newer = Self.none
        self.slots[index].older = self.newest
        if self.newest == Self.none { self.oldest = index } else { self.slots[self.newest].newer = index }
        self.newest = index
    }
}
