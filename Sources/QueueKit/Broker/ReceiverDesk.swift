internal import DequeModule
package import ScaleCore

/// What a broker keeps under its lock that hands messages to those who wait in this process.
package protocol ReceivingState: Sendable {
    var receivers: WaitingReceivers { get set }
    /// Leases what is there for a request; nothing when there is nothing.
    mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery]
}

/// Those who wait for messages, first come first served.
package struct WaitingReceivers: Sendable {
    struct Waiter {
        let id: UInt64
        let request: ReceiveRequest
        let continuation: CheckedContinuation<[Delivery], any Error>
    }

    var waiters: Deque<Waiter> = []
    var lastID: UInt64 = 0
    /// With what whoever comes now is turned away.
    var closed: QueueError?

    package init() {}

    package var isEmpty: Bool { self.waiters.isEmpty }
    package var isClosed: Bool { self.closed != nil }
    package var requests: [ReceiveRequest] { self.waiters.map(\.request) }
}

/// Where receivers wait: the state of a broker behind its lock, and the parking, serving and cancelling of those who wait for it.
///
/// Timers hold on to it, and not to the broker. Continuations are resumed outside of the lock.
package final class ReceiverDesk<State: ReceivingState>: Sendable {
    package let state: Locked<State>

    package init(_ state: consuming sending State) {
        self.state = Locked(state)
    }

    /// What is there, or what comes first.
    ///
    /// - Parameter changed: called after the caller began to wait, took something, or stopped waiting: deadlines may be others now.
    /// - Throws: `CancellationError`, with nothing leased; the error of ``close(_:)``.
    package func receive(
        _ request: ReceiveRequest, on time: TimeSource, changed: @escaping @Sendable () -> Void
    ) async throws -> [Delivery] {
        let id = self.state.withLock { state in
            state.receivers.lastID += 1
            return state.receivers.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.park(WaitingReceivers.Waiter(id: id, request: request, continuation: continuation), at: time.now())
                changed()
            }
        } onCancel: {
            self.cancel(id)
            changed()
        }
    }

    private func park(_ waiter: WaitingReceivers.Waiter, at now: Instant) {
        let answer: Result<[Delivery], any Error>? = self.state.withLock { state in
            if let error = state.receivers.closed { return .failure(error) }
            // A task's flag is set before its handler runs: it is seen here, or the handler finds the waiter.
            if Task.isCancelled { return .failure(CancellationError()) }
            let deliveries = state.take(waiter.request, at: now)
            if !deliveries.isEmpty || waiter.request.limit < 1 { return .success(deliveries) }
            state.receivers.waiters.append(waiter)
            return nil
        }
        if let answer { waiter.continuation.resume(with: answer) }
    }

    private func cancel(_ id: UInt64) {
        let waiter: WaitingReceivers.Waiter? = self.state.withLock { state in
            guard let index = state.receivers.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.receivers.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }

    /// Hands messages to those who wait; whether anybody got any.
    @discardableResult package func serve(at now: Instant) -> Bool {
        let served: [(WaitingReceivers.Waiter, [Delivery])] = self.state.withLock { state in
            guard !state.receivers.isEmpty else { return [] }
            var served: [(WaitingReceivers.Waiter, [Delivery])] = []
            var waiting: Deque<WaitingReceivers.Waiter> = []
            while let waiter = state.receivers.waiters.popFirst() {
                let deliveries = state.take(waiter.request, at: now)
                if deliveries.isEmpty { waiting.append(waiter) } else { served.append((waiter, deliveries)) }
            }
            state.receivers.waiters = waiting
            return served
        }
        for (waiter, deliveries) in served { waiter.continuation.resume(returning: deliveries) }
        return !served.isEmpty
    }

    /// Turns away whoever waits now or comes later.
    package func close(_ error: QueueError) {
        let waiters = self.state.withLock { state in
            state.receivers.closed = error
            defer { state.receivers.waiters = [] }
            return state.receivers.waiters
        }
        for waiter in waiters { waiter.continuation.resume(throwing: error) }
    }
}
