import ScaleCore

/// How a flight ended.
enum FlightOutcome: Sendable {
    case value(CachedObject)
    /// The store did not grant the lease, so nothing was loaded.
    case notGranted(BeginAnswer)
    /// The store could not be reached, so nothing was loaded.
    case storeFailed
    case failed(any Error)
}

/// Runs the loads of one node and parks those who wait for them. The rules are ``FlightBoard``'s.
final class LoadFlights: Sendable {
    private enum Place {
        case registered
        case parked(CheckedContinuation<FlightOutcome, any Error>)
        case arrived(FlightOutcome)
        case cancelled
    }

    private struct State {
        var board = FlightBoard()
        var places: [FlightBoard.WaiterID: Place] = [:]
        var tasks: [LeaseToken: Task<Void, Never>] = [:]
    }

    private let state = Locked(State())

    /// The load with this token, if it can be joined.
    func load(_ token: LeaseToken) -> OwnLoad? {
        self.state.withLock { $0.board.load(token) }
    }

    /// Any load of `key` that is under way, whatever the store says of it.
    func token(of key: CacheKey) -> LeaseToken? {
        self.state.withLock { $0.board.token(of: key) }
    }

    /// How many callers wait, for tests.
    var waiterCount: Int { self.state.withLock { $0.board.waiterCount } }

    /// How many loads are under way, for tests.
    var count: Int { self.state.withLock { $0.board.count } }

    func note(sequence: UInt64, for token: LeaseToken) {
        self.state.withLock { $0.board.note(sequence: sequence, for: token) }
    }

    /// Opens a flight and waits for its end. `body` runs in a task of its own: it goes on when this caller is cancelled and others wait,
    /// and is cancelled when nobody does.
    func open(
        _ token: LeaseToken, load: OwnLoad, body: @escaping @Sendable () async -> FlightOutcome
    ) async throws -> FlightOutcome {
        let waiter = self.state.withLock { state in
            let waiter = state.board.open(token, load: load)
            state.places[waiter] = .registered
            return waiter
        }
        let task = Task {
            let outcome = await body()
            self.end(token, with: outcome)
        }
        self.state.withLock { state in
            if state.board.load(token) != nil { state.tasks[token] = task }
        }
        return try await self.wait(waiter, for: token)
    }

    /// Waits for the load with this token; `nil` when it has ended or is cancelled.
    func join(_ token: LeaseToken) async throws -> FlightOutcome? {
        let waiter: FlightBoard.WaiterID? = self.state.withLock { state in
            guard let waiter = state.board.join(token) else { return nil }
            state.places[waiter] = .registered
            return waiter
        }
        guard let waiter else { return nil }
        return try await self.wait(waiter, for: token)
    }

    private func wait(_ waiter: FlightBoard.WaiterID, for token: LeaseToken) async throws -> FlightOutcome {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Decision { case parked, arrived(FlightOutcome), cancelled }
                let decision: Decision = self.state.withLock { state in
                    switch state.places[waiter] {
                    case .registered, .parked:
                        state.places[waiter] = .parked(continuation)
                        return .parked
                    case .arrived(let outcome):
                        state.places[waiter] = nil
                        return .arrived(outcome)
                    case .cancelled, nil:
                        state.places[waiter] = nil
                        return .cancelled
                    }
                }
                switch decision {
                case .parked: break
                case .arrived(let outcome): continuation.resume(returning: outcome)
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            self.cancel(waiter, of: token)
        }
    }

    private func cancel(_ waiter: FlightBoard.WaiterID, of token: LeaseToken) {
        let (place, task): (Place?, Task<Void, Never>?) = self.state.withLock { state in
            let place = state.places[waiter]
            switch place {
            case .registered: state.places[waiter] = .cancelled
            case .parked: state.places[waiter] = nil
            case .arrived, .cancelled, nil: return (nil, nil)
            }
            switch state.board.leave(waiter, of: token) {
            case .none: return (place, nil)
            case .cancelLoad: return (place, state.tasks[token])
            }
        }
        task?.cancel()
        if case .parked(let continuation) = place { continuation.resume(throwing: CancellationError()) }
    }

    private func end(_ token: LeaseToken, with outcome: FlightOutcome) {
        let parked: [CheckedContinuation<FlightOutcome, any Error>] = self.state.withLock { state in
            state.tasks[token] = nil
            return state.board.end(token).compactMap { waiter in
                switch state.places[waiter] {
                case .parked(let continuation):
                    state.places[waiter] = nil
                    return continuation
                case .registered:
                    state.places[waiter] = .arrived(outcome)
                    return nil
                case .arrived, .cancelled, nil:
                    return nil
                }
            }
        }
        parked.forEach { $0.resume(returning: outcome) }
    }
}
