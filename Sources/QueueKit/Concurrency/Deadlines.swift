internal import HeapModule
package import ScaleCore

/// When things end, each under a number that its owner gave it, the earliest known in O(1). A value.
///
/// (Numbers, and not keys of any type: as a generic type it would be several times slower in the modules that use it.)
///
/// A deadline that is moved or removed leaves its entry behind in the heap, where it is dropped when it comes to the top, or when such
/// entries are the most: setting, removing and taking cost O(log n) amortized, and memory is linear in what is there.
package struct Deadlines: Sendable {
    package typealias Key = UInt64

    private struct Entry: Comparable, Sendable {
        let at: Instant
        let order: UInt64
        let key: Key

        static func < (left: Entry, right: Entry) -> Bool {
            left.at != right.at ? left.at < right.at : left.order < right.order
        }

        static func == (left: Entry, right: Entry) -> Bool { left.order == right.order }
    }

    private var heap = Heap<Entry>()
    /// The orders of the entries that still hold.
    private var current: [Key: UInt64] = [:]
    private var lastOrder: UInt64 = 0

    package init() {}

    package var earliest: Instant? { self.heap.min?.at }

    /// Sets or moves a deadline.
    package mutating func set(_ deadline: Instant, for key: Key) {
        self.lastOrder &+= 1
        self.current[key] = self.lastOrder
        self.heap.insert(Entry(at: deadline, order: self.lastOrder, key: key))
        self.dropObsolete()
    }

    package mutating func remove(_ key: Key) {
        guard self.current.removeValue(forKey: key) != nil else { return }
        self.dropObsolete()
    }

    package mutating func removeAll() {
        self = Deadlines()
    }

    /// Takes out what has ended, earliest first, and of one deadline in the order in which they were set.
    package mutating func takeEnded(at now: Instant) -> [Key] {
        var ended: [Key] = []
        while let first = self.heap.min, first.at <= now {
            self.current[first.key] = nil
            ended.append(first.key)
            self.dropObsolete()
        }
        return ended
    }

    /// Keeps the top of the heap one that holds.
    private mutating func dropObsolete() {
        while let first = self.heap.min, self.current[first.key] != first.order { self.heap.removeMin() }
        if self.heap.count > 2 * self.current.count + 64 {
            self.heap = Heap(self.heap.unordered.filter { self.current[$0.key] == $0.order })
        }
    }
}
