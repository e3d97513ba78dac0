/// The rules of ``SingleFlight`` as a value: who waits for which flight, and when a flight's work is wanted by nobody.
///
/// `Waiter` is what the shell resumes (a continuation), `Work` what it cancels (a task). The table hands them out and touches
/// neither. Every method is O(1) in the number of flights, apart from ``finish(_:)``, which sorts that flight's waiters.
struct FlightTable<Key: Hashable, Waiter, Work> {
    struct FlightID: Hashable {
        fileprivate let number: UInt64
    }

    struct WaiterID: Hashable, Comparable {
        fileprivate let number: UInt64

        static func < (left: WaiterID, right: WaiterID) -> Bool { left.number < right.number }
    }

    private struct Flight {
        let key: Key
        var waiters: [WaiterID: Waiter]
        /// `nil` between the decision to start the work and the shell's report that it has.
        var work: Work?
    }

    private var lastNumber: UInt64 = 0
    private var flights: [FlightID: Flight] = [:]
    /// The flight that a new caller joins. A flight that is detached or abandoned is not in here any more.
    private var current: [Key: FlightID] = [:]
    private var flightOfWaiter: [WaiterID: FlightID] = [:]

    /// A name for a caller, to be had before it joins, so that its cancellation can be told apart from others' from the start.
    mutating func makeWaiterID() -> WaiterID {
        self.lastNumber &+= 1
        return WaiterID(number: self.lastNumber)
    }

    // MARK: Joining

    enum JoinAction {
        /// Start the work and report it by ``started(_:work:)``; the waiter waits.
        case start(FlightID)
        case wait
    }

    mutating func join(_ key: Key, as id: WaiterID, _ waiter: Waiter) -> JoinAction {
        if let flight = self.current[key], self.flights[flight] != nil {
            self.flights[flight]?.waiters[id] = waiter
            self.flightOfWaiter[id] = flight
            return .wait
        }
        self.lastNumber &+= 1
        let flight = FlightID(number: self.lastNumber)
        self.flights[flight] = Flight(key: key, waiters: [id: waiter], work: nil)
        self.current[key] = flight
        self.flightOfWaiter[id] = flight
        return .start(flight)
    }

    enum StartedAction {
        case none
        /// Everybody left while the work was being started (or it is over already, and to cancel it does nothing).
        case cancel
    }

    mutating func started(_ flight: FlightID, work: Work) -> StartedAction {
        guard self.flights[flight] != nil else { return .cancel }
        self.flights[flight]?.work = work
        return .none
    }

    // MARK: Leaving

    enum LeaveAction {
        /// The waiter has its result already, or never joined.
        case none
        case resume(Waiter)
        /// Nobody wants the flight any more. `nil`: its work has not started; ``started(_:work:)`` will say the same.
        case resumeAndCancel(Waiter, Work?)
    }

    /// A caller was cancelled.
    mutating func leave(_ id: WaiterID) -> LeaveAction {
        guard let flight = self.flightOfWaiter.removeValue(forKey: id), let waiter = self.flights[flight]?.waiters.removeValue(forKey: id)
        else { return .none }
        guard let abandoned = self.flights[flight], abandoned.waiters.isEmpty else { return .resume(waiter) }
        // Whoever comes now must not join work that is about to be cancelled.
        self.remove(flight)
        return .resumeAndCancel(waiter, abandoned.work)
    }

    /// Lets later callers for `key` start a new flight; those who wait for the present one still get its result.
    mutating func detach(_ key: Key) {
        self.current[key] = nil
    }

    mutating func detachAll() {
        self.current.removeAll()
    }

    // MARK: Finishing

    /// The work is over; returns those to be told, in the order in which they came.
    mutating func finish(_ flight: FlightID) -> [Waiter] {
        guard let finished = self.flights[flight] else { return [] }
        self.remove(flight)
        return finished.waiters.sorted { $0.key < $1.key }.map { id, waiter in
            self.flightOfWaiter[id] = nil
            return waiter
        }
    }

    private mutating func remove(_ flight: FlightID) {
        guard let removed = self.flights.removeValue(forKey: flight) else { return }
        if self.current[removed.key] == flight { self.current[removed.key] = nil }
    }

    // MARK: Looking

    func isInFlight(_ key: Key) -> Bool {
        self.current[key] != nil
    }

    func waiterCount(for key: Key) -> Int {
        self.current[key].flatMap { self.flights[$0]?.waiters.count } ?? 0
    }

    /// Nothing is remembered of any flight or waiter.
    var isEmpty: Bool {
        self.flights.isEmpty && self.current.isEmpty && self.flightOfWaiter.isEmpty
    }
}
