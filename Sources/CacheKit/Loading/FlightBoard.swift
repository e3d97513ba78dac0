/// The loads of one node that are under way, and who waits for them, as a value.
///
/// A load is cancelled only when all who wait for it have left. A cancelled load cannot be joined any more.
struct FlightBoard {
    typealias WaiterID = UInt64

    private struct Flight {
        var load: OwnLoad
        var waiters: Set<WaiterID>
        var isCancelled = false
    }

    enum LeaveAction: Hashable {
        case none
        /// Nobody waits any more.
        case cancelLoad
    }

    private var flights: [LeaseToken: Flight] = [:]
    private var lastID: WaiterID = 0

    /// Opens a flight with its first waiter.
    mutating func open(_ token: LeaseToken, load: OwnLoad) -> WaiterID {
        self.lastID += 1
        self.flights[token] = Flight(load: load, waiters: [self.lastID])
        return self.lastID
    }

    /// Notes the sequence that was read after the lease was granted.
    mutating func note(sequence: UInt64, for token: LeaseToken) {
        self.flights[token]?.load.sequence = sequence
    }

    /// The load with this token, if it can be joined.
    func load(_ token: LeaseToken) -> OwnLoad? {
        guard let flight = self.flights[token], !flight.isCancelled else { return nil }
        return flight.load
    }

    /// The token of any load of `key` that can be joined, whatever the store says of it.
    func token(of key: CacheKey) -> LeaseToken? {
        self.flights.first { $0.value.load.key == key && !$0.value.isCancelled }?.key
    }

    /// Adds a waiter; `nil` when the load has ended or is cancelled.
    mutating func join(_ token: LeaseToken) -> WaiterID? {
        guard let flight = self.flights[token], !flight.isCancelled else { return nil }
        self.lastID += 1
        self.flights[token]?.waiters.insert(self.lastID)
        return self.lastID
    }

    /// A waiter does not wait any more.
    mutating func leave(_ waiter: WaiterID, of token: LeaseToken) -> LeaveAction {
        guard self.flights[token]?.waiters.remove(waiter) != nil, self.flights[token]?.waiters.isEmpty == true else { return .none }
        self.flights[token]?.isCancelled = true
        return .cancelLoad
    }

    /// The load has ended; the waiters to be told.
    mutating func end(_ token: LeaseToken) -> Set<WaiterID> {
        self.flights.removeValue(forKey: token)?.waiters ?? []
    }

    /// How many callers wait, of all loads.
    var waiterCount: Int { self.flights.values.reduce(0) { $0 + $1.waiters.count } }

    /// How many loads are under way.
    var count: Int { self.flights.count }
}
