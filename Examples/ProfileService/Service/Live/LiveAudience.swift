import NIOCore
import ScaleCore

/// Who listens at one instance, and what waits for each. Nobody who is slow is waited for.
final class LiveAudience: Sendable {
    struct Limits: Sendable {
        /// Beyond it, listeners are refused.
        var listeners = 256
        /// Of these, as many as one client may have, so that a single one cannot take them all.
        var listenersPerClient = 8
        /// Events that wait for one listener, beyond what its connection takes. Who lets more wait is dismissed, and comes again. All
        /// listeners share an event's bytes.
        var events = 64
    }

    /// Why a listener has no place.
    enum Refusal: Error {
        case full
        /// The client has all the places that one client may have.
        case fullForClient
    }

    private struct Seat {
        let client: String
        let events: AsyncStream<ByteBuffer>.Continuation
        let dismissal: Announcement<LiveListener.Dismissal>
    }

    private struct State {
        var seats: [Int: Seat] = [:]
        var nextSeat = 0
        /// The number of the last event, heard by somebody or not.
        var events = 0
        var isClosed = false
    }

    let limits: Limits
    /// Numbers of events mean something at one instance, as long as it runs.
    private let name = String(UInt32.random(in: .min ... .max), radix: 36)
    private let state = Locked(State())

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    var lastEventID: String { self.id(self.state.withLock { $0.events }) }
    var count: Int { self.state.withLock { $0.seats.count } }

    /// A listener who hears all events from now on. Takes time in proportion to the number of listeners.
    ///
    /// - Parameters:
    ///   - client: whose place it is, as ``ClientAddress`` has it.
    ///   - lastEventID: the last event that the client had before it was cut off. Unless that was the last one of all, the first that it
    ///     hears is that it has missed some.
    /// - Throws: `Refusal` when there is no place.
    func enter(client: String, lastEventID: String?) throws(Refusal) -> LiveListener {
        let (events, continuation) = AsyncStream<ByteBuffer>.makeStream(bufferingPolicy: .bufferingOldest(self.limits.events))
        let dismissal = Announcement<LiveListener.Dismissal>()
        return try self.state.withLock { (state) throws(Refusal) in
            guard !state.isClosed else { throw .full }
            guard state.seats.values.count(where: { $0.client == client }) < self.limits.listenersPerClient else { throw .fullForClient }
            guard state.seats.count < self.limits.listeners else { throw .full }
            let number = state.nextSeat
            state.nextSeat += 1
            state.seats[number] = Seat(client: client, events: continuation, dismissal: dismissal)
            continuation.yield(LiveEvent.greeting)
            let last = self.id(state.events)
            if let lastEventID, lastEventID != last { continuation.yield(LiveEvent.reset(id: last)) }
            return LiveListener(events: events, dismissal: dismissal) { [weak self] in
                self?.dismiss(number, .gone)
            }
        }
    }

    /// An event that nobody hears: there is no listener for whom it would be worth making.
    func skip() {
        self.state.withLock { $0.events += 1 }
    }

    /// Gives everybody an event, which `make` makes with its id.
    func tell(_ make: (_ id: String) -> ByteBuffer) {
        self.send { state in
            state.events += 1
            return make(self.id(state.events))
        }
    }

    func beat() {
        self.send { _ in LiveEvent.heartbeat }
    }

    /// Dismisses everybody, and lets nobody in any more.
    func close() {
        let numbers = self.state.withLock { state in
            state.isClosed = true
            return Array(state.seats.keys)
        }
        for number in numbers { self.dismiss(number, .closing) }
    }

    private func send(_ event: (inout State) -> ByteBuffer) {
        let slow = self.state.withLock { state in
            let event = event(&state)
            // Within the lock, so that all get all events in one order. It resumes tasks and runs none.
            return state.seats.filter { _, seat in
                if case .dropped = seat.events.yield(event) { true } else { false }
            }.keys
        }
        for number in slow { self.dismiss(number, .tooSlow) }
    }

    private func dismiss(_ number: Int, _ dismissal: LiveListener.Dismissal) {
        guard let seat = self.state.withLock({ $0.seats.removeValue(forKey: number) }) else { return }
        seat.dismissal.make(dismissal)
        seat.events.finish()
    }

    private func id(_ number: Int) -> String { "\(self.name)-\(number)" }
}

/// A place in the audience, given up when the last reference to it goes.
final class LiveListener: Sendable {
    enum Dismissal: Sendable {
        /// The client has closed its connection.
        case gone
        case tooSlow
        case closing
    }

    /// Ends with the dismissal.
    let events: AsyncStream<ByteBuffer>
    let dismissal: Announcement<Dismissal>
    private let giveUp: @Sendable () -> Void

    fileprivate init(
        events: AsyncStream<ByteBuffer>, dismissal: Announcement<Dismissal>, giveUp: @escaping @Sendable () -> Void
    ) {
        self.events = events
        self.dismissal = dismissal
        self.giveUp = giveUp
    }

    deinit {
        self.giveUp()
    }

    func leave() {
        self.giveUp()
    }
}
