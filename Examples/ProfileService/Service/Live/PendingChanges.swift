/// Changes that wait for whoever takes them, as a value: each profile once, in order, and in bounded space.
struct PendingChanges: Sendable {
    /// As many profiles are told one by one; beyond that it is cheaper for everybody to read anew.
    static let limit = 1024

    private var order: [LiveChange] = []
    private var members: Set<LiveChange> = []

    /// Puts a change at the end, unless it waits already.
    mutating func add(_ change: LiveChange) {
        guard change != .anything, self.order.count < Self.limit || self.members.contains(change) else { return self.collapse() }
        guard !self.members.contains(.anything), self.members.insert(change).inserted else { return }
        self.order.append(change)
    }

    /// Puts a change that was taken, and could not be passed on, at the front.
    mutating func putBack(_ change: LiveChange) {
        guard change != .anything, self.order.count < Self.limit else { return self.collapse() }
        guard !self.members.contains(.anything), self.members.insert(change).inserted else { return }
        self.order.insert(change, at: 0)
    }

    mutating func take() -> LiveChange? {
        guard !self.order.isEmpty else { return nil }
        let change = self.order.removeFirst()
        self.members.remove(change)
        return change
    }

    private mutating func collapse() {
        self.order = [.anything]
        self.members = [.anything]
    }
}
