/// The invalidations that this node owes the store, as a value.
///
/// An invalidation that could not be confirmed stays here until it is delivered. As long as there is one, the node's reads deliver it
/// first, or take the store as down: what they found could be what was to be invalidated. The journal is bounded: when it overflows it
/// becomes one invalidation of the whole namespace.
struct InvalidationJournal {
    static let capacity = 10_000

    private var entries: [InvalidationTarget: UInt64] = [:]
    private var lastID: UInt64 = 0

    var isEmpty: Bool { self.entries.isEmpty }

    mutating func add(_ targets: [InvalidationTarget]) {
        for target in targets {
            self.lastID += 1
            self.entries[target] = self.lastID
        }
        if self.entries.count > Self.capacity { self.entries = [.tag(""): self.lastID] }
    }

    /// What is owed, in the order in which it was added last, and a mark to hand back to ``delivered(_:upTo:)``.
    var owed: (targets: [InvalidationTarget], mark: UInt64) {
        (self.entries.sorted { $0.value < $1.value }.map(\.key), self.lastID)
    }

    /// These were delivered after `mark` was taken. An entry that was added again since then stays.
    mutating func delivered(_ targets: [InvalidationTarget], upTo mark: UInt64) {
        for target in targets {
            if let id = self.entries[target], id <= mark { self.entries[target] = nil }
        }
    }
}
