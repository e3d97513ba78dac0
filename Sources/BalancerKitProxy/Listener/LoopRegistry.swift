import ScaleCore

/// What an event loop keeps a list of, and looks at when its timer strikes.
protocol LoopRegistered: AnyObject {
    /// Where it stands in the list; the list's own.
    var registryIndex: Int { get set }
    /// When it wants ``deadlinePassed(at:)``.
    var nextDeadline: Instant { get }
    func deadlinePassed(at now: Instant)
}

/// The connections of one event loop. Adding and removing are O(1).
///
/// Deadlines are moved with every read, and nearly never pass. So there is no queue of them: moving one is a store, and a timer that is
/// coarse looks at all.
struct LoopRegistry<Connection: LoopRegistered> {
    private(set) var connections: [Connection] = []

    mutating func insert(_ connection: Connection) {
        connection.registryIndex = self.connections.count
        self.connections.append(connection)
    }

    /// Does nothing for a connection that is not in the list.
    mutating func remove(_ connection: Connection) {
        let index = connection.registryIndex
        guard self.connections.indices.contains(index), self.connections[index] === connection else { return }
        let last = self.connections.removeLast()
        guard last !== connection else { return }
        self.connections[index] = last
        last.registryIndex = index
    }

    /// Those whose deadline has passed.
    func due(at now: Instant) -> [Connection] {
        self.connections.filter { $0.nextDeadline <= now }
    }
}
