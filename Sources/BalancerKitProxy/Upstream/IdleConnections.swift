/// The idle connections of an upstream group on one event loop: which is used next, and which goes when there are too many.
///
/// The most recently used connection to the endpoint is taken, since it is the least likely to have been closed; beyond the capacity the
/// least recently used of all goes (nginx's `keepalive`). A value; connections are only compared.
struct IdleConnections<Key: Equatable, Connection: AnyObject> {
    private struct Stack {
        let key: Key
        /// The most recently used last.
        var connections: [(connection: Connection, turn: UInt64)] = []
    }

    private var stacks: [Stack] = []
    private var turn: UInt64 = 0
    private(set) var count = 0
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Takes the most recently used connection to the endpoint out. O(endpoints).
    mutating func take(_ key: Key) -> Connection? {
        guard let index = self.stacks.firstIndex(where: { $0.key == key }), let last = self.stacks[index].connections.popLast() else {
            return nil
        }
        self.count -= 1
        return last.connection
    }

    /// Keeps a connection. Returns the one to close in exchange when there are too many: the connection itself when none are kept.
    mutating func put(_ connection: Connection, _ key: Key) -> Connection? {
        guard self.capacity > 0 else { return connection }
        let evicted = self.count >= self.capacity ? self.removeOldest() : nil
        self.turn += 1
        let entry = (connection: connection, turn: self.turn)
        if let index = self.stacks.firstIndex(where: { $0.key == key }) {
            self.stacks[index].connections.append(entry)
        } else {
            self.stacks.append(Stack(key: key, connections: [entry]))
        }
        self.count += 1
        return evicted
    }

    /// Forgets a connection that is no longer fit. O(idle connections to the endpoint).
    mutating func remove(_ connection: Connection, _ key: Key) {
        guard let stack = self.stacks.firstIndex(where: { $0.key == key }),
            let index = self.stacks[stack].connections.firstIndex(where: { $0.connection === connection })
        else { return }
        self.stacks[stack].connections.remove(at: index)
        self.count -= 1
    }

    /// Takes all out.
    mutating func removeAll() -> [Connection] {
        defer {
            self.stacks.removeAll()
            self.count = 0
        }
        return self.stacks.flatMap { $0.connections.map(\.connection) }
    }

    private mutating func removeOldest() -> Connection? {
        let oldest = self.stacks.indices.min { left, right in
            (self.stacks[left].connections.first?.turn ?? .max) < (self.stacks[right].connections.first?.turn ?? .max)
        }
        guard let oldest, !self.stacks[oldest].connections.isEmpty else { return nil }
        self.count -= 1
        return self.stacks[oldest].connections.removeFirst().connection
    }
}
