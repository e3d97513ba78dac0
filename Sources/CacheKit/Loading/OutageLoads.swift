import ScaleCore

/// The loads of one node while the store cannot be reached: still one per key, however many callers wait. Nothing is stored.
///
/// Without the store a node hears of its own invalidations only. These end every joining; of what others invalidate nothing can be known,
/// so a load is joined only while it is young.
final class OutageLoads: Sendable {
    /// Names one load. Callers of different types never share one.
    struct Flight: Hashable {
        let key: CacheKey
        let type: ObjectIdentifier
        fileprivate let number: UInt64
    }

    private struct Name: Hashable {
        let key: CacheKey
        let type: ObjectIdentifier
    }

    /// Which load a new caller joins, as a value.
    private struct Board {
        private var last: UInt64 = 0
        private var open: [Name: (flight: Flight, began: Instant)] = [:]

        mutating func enter(_ name: Name, at now: Instant, maximumAge: Duration) -> Flight {
            if let (flight, began) = self.open[name], began.duration(to: now) <= maximumAge { return flight }
            self.last &+= 1
            let flight = Flight(key: name.key, type: name.type, number: self.last)
            self.open[name] = (flight, now)
            return flight
        }

        mutating func end(_ flight: Flight) {
            let name = Name(key: flight.key, type: flight.type)
            if self.open[name]?.flight == flight { self.open[name] = nil }
        }

        mutating func detachAll() { self.open = [:] }

        var count: Int { self.open.count }
    }

    private let board = Locked(Board())
    private let flights = SingleFlight<Flight, CachedObject>()
    private let maximumAge: Duration

    /// - Parameter maximumAge: how long after its begin a load is still joined.
    init(maximumAge: Duration) {
        self.maximumAge = maximumAge
    }

    /// The load that a caller of now shares.
    func flight<Value>(for key: CacheKey, as _: Value.Type, at now: Instant) -> Flight {
        self.board.withLock { $0.enter(Name(key: key, type: ObjectIdentifier(Value.self)), at: now, maximumAge: self.maximumAge) }
    }

    /// The value of a flight, which `load` is run for unless it is under way. Who is cancelled leaves alone; the load is cancelled when
    /// all have.
    func outcome(
        of flight: Flight, load: @escaping @Sendable () async throws -> CachedObject
    ) async throws -> (value: CachedObject, role: SingleFlight<Flight, CachedObject>.Role) {
        try await self.flights.outcome(for: flight) {
            defer { self.board.withLock { $0.end(flight) } }
            return try await load()
        }
    }

    /// Who comes from now on shares no load that is under way: it may have seen what was invalidated.
    func detachAll() {
        self.board.withLock { $0.detachAll() }
    }

    /// How many callers wait for a flight, for tests.
    func waiterCount(of flight: Flight) -> Int { self.flights.waiterCount(for: flight) }

    /// How many loads can be joined.
    var count: Int { self.board.withLock { $0.count } }
}
