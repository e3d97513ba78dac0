import ScaleCore

/// A binary heap of slot numbers by the end of their life, in which a slot's end can be changed and removed.
///
/// It is exact: an entry that has expired is found before a live one is evicted, however shortly ago it expired. (A timer wheel is O(1),
/// and blind within a tick.) Changes cost O(log n), and only entries that expire are in it.
struct ExpiryHeap {
    private struct Node {
        var end: Instant
        var slot: Int32
    }

    private static let outside: Int32 = -1
    private var nodes: ContiguousArray<Node> = []
    /// The position of each slot in `nodes`.
    private var positions: ContiguousArray<Int32> = []

    var count: Int { self.nodes.count }

    /// The slot whose life ends first.
    var earliest: (slot: Int, end: Instant)? {
        self.nodes.first.map { (Int($0.slot), $0.end) }
    }

    /// Sets the end of a slot's life; `distantFuture` takes it out.
    mutating func set(_ slot: Int, end: Instant) {
        while self.positions.count <= slot { self.positions.append(Self.outside) }
        guard end < .distantFuture else { return self.remove(slot) }
        let position = Int(self.positions[slot])
        if position >= 0 {
            self.nodes[position].end = end
            self.restore(position)
        } else {
            self.nodes.append(Node(end: end, slot: Int32(truncatingIfNeeded: slot)))
            self.positions[slot] = Int32(truncatingIfNeeded: self.nodes.count - 1)
            self.siftUp(self.nodes.count - 1)
        }
    }

    /// Takes a slot out; one that is not in the heap changes nothing.
    mutating func remove(_ slot: Int) {
        guard slot < self.positions.count, self.positions[slot] >= 0 else { return }
        let position = Int(self.positions[slot])
        let last = self.nodes.count - 1
        if position != last { self.swap(position, last) }
        self.nodes.removeLast()
        self.positions[slot] = Self.outside
        if position < self.nodes.count { self.restore(position) }
    }

    private mutating func restore(_ position: Int) {
        let slot = Int(self.nodes[position].slot)
        self.siftUp(position)
        self.siftDown(Int(self.positions[slot]))
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard self.nodes[position].end < self.nodes[parent].end else { return }
            self.swap(position, parent)
            position = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        while true {
            let left = 2 * position + 1
            guard left < self.nodes.count else { return }
            let right = left + 1
            let child = right < self.nodes.count && self.nodes[right].end < self.nodes[left].end ? right : left
            guard self.nodes[child].end < self.nodes[position].end else { return }
            self.swap(position, child)
            position = child
        }
    }

    private mutating func swap(_ one: Int, _ other: Int) {
        self.nodes.swapAt(one, other)
        self.positions[Int(self.nodes[one].slot)] = Int32(truncatingIfNeeded: one)
        self.positions[Int(self.nodes[other].slot)] = Int32(truncatingIfNeeded: other)
    }
}
