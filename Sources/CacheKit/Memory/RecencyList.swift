/// A doubly linked list over slot numbers, most recently used first. All operations are O(1).
///
/// The links lie in an array of their own, apart from the entries, so that a hit touches few bytes.
struct RecencyList {
    private struct Link {
        var previous: Int32
        var next: Int32
    }

    private static let end: Int32 = -1
    private var links: ContiguousArray<Link> = []
    private var first = Self.end
    private var last = Self.end

    /// The slot that was used longest ago.
    var leastRecent: Int? { self.last == Self.end ? nil : Int(self.last) }

    /// Puts a slot that is not in the list at its front.
    mutating func insert(_ slot: Int) {
        while self.links.count <= slot { self.links.append(Link(previous: Self.end, next: Self.end)) }
        let index = Int32(truncatingIfNeeded: slot)
        self.links[slot] = Link(previous: Self.end, next: self.first)
        if self.first != Self.end { self.links[Int(self.first)].previous = index }
        self.first = index
        if self.last == Self.end { self.last = index }
    }

    /// Takes a slot that is in the list out of it.
    mutating func remove(_ slot: Int) {
        let link = self.links[slot]
        if link.previous == Self.end { self.first = link.next } else { self.links[Int(link.previous)].next = link.next }
        if link.next == Self.end { self.last = link.previous } else { self.links[Int(link.next)].previous = link.previous }
    }

    /// Moves a slot that is in the list to its front.
    @inline(__always)
    mutating func touch(_ slot: Int) {
        guard self.first != Int32(truncatingIfNeeded: slot) else { return }
        self.remove(slot)
        self.insert(slot)
    }

    /// The slots, most recently used first: O(n), for tests.
    var order: [Int] {
        var order: [Int] = []
        var slot = self.first
        while slot != Self.end {
            order.append(Int(slot))
            slot = self.links[Int(slot)].next
        }
        return order
    }
}
