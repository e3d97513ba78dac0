import ScaleCore

/// Which servers are left alone for a while, since they were silent or refused a connection.
struct ServerRests: Sendable {
    private var ends: [Int: Instant] = [:]
    private let length: Duration

    init(length: Duration) {
        self.length = length
    }

    mutating func begin(_ server: Int, at now: Instant) {
        self.ends[server] = now.advanced(by: self.length)
    }

    var isEmpty: Bool { self.ends.isEmpty }

    func rests(_ server: Int, at now: Instant) -> Bool {
        self.ends[server].map { now < $0 } ?? false
    }
}

/// The rests that all handles of a store keep: what one has found out the others need not find out again.
final class SharedRests: Sendable {
    private let rests: Locked<ServerRests>

    init(length: Duration) {
        self.rests = Locked(ServerRests(length: length))
    }

    func withLock<Result: Sendable>(_ body: (inout ServerRests) -> Result) -> Result {
        self.rests.withLock { body(&$0) }
    }
}
