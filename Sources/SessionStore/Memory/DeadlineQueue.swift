import HeapModule
import ScaleCore

/// Elements in the order of their deadlines. Insertion and removal cost O(log n).
struct DeadlineQueue<Element: Sendable>: Sendable {
    private struct Node: Comparable, Sendable {
        let deadline: Instant
        let element: Element

        static func < (left: Node, right: Node) -> Bool { left.deadline < right.deadline }
        static func == (left: Node, right: Node) -> Bool { left.deadline == right.deadline }
    }

    private var nodes: Heap<Node>

    init() {
        self.nodes = Heap()
    }

    /// O(n), which n insertions are not.
    init(_ elements: some Sequence<(element: Element, deadline: Instant)>) {
        self.nodes = Heap(elements.map { Node(deadline: $0.deadline, element: $0.element) })
    }

    var count: Int { self.nodes.count }

    mutating func insert(_ element: Element, at deadline: Instant) {
        self.nodes.insert(Node(deadline: deadline, element: element))
    }

    /// Removes and returns an element whose deadline is reached.
    mutating func popDue(at now: Instant) -> Element? {
        guard let first = self.nodes.min, first.deadline <= now else { return nil }
        return self.nodes.popMin()?.element
    }
}
