internal import Logging
internal import QueueKit
internal import ScaleCore

/// Publishes over a connection of its own, and returns when the server has confirmed.
///
/// The connection is made when something waits for it, and made again as long as something does. Between the server's `connection.blocked`
/// and `unblocked` nothing is sent; callers wait until their deadline.
final class ConfirmingPublisher: Sendable {
    typealias Outcome = PublishEngine.Outcome

    private struct State {
        var engine: PublishEngine
        var callers: [UInt64: CheckedContinuation<Outcome, any Error>] = [:]
        var connection: AMQPConnection?
        /// Counts connections: what an old one still says is not about the new one.
        var epoch: UInt64 = 0
        var isConnecting = false
        var isSending = false
        var isClosed = false
        var obstacle: String?
    }

    /// What the alarm holds on to, so that it does not keep the publisher alive.
    private final class Shared: Sendable {
        let state: Locked<State>

        init(_ state: State) {
            self.state = Locked(state)
        }
    }

    private let open: AMQPOpener
    private let timeout: Duration
    private let time: TimeSource
    private let logger: Logger
    private let shared: Shared
    private let alarm: Alarm

    /// - Parameters:
    ///   - window: how many messages may be unconfirmed at a time.
    ///   - timeout: how long a caller waits for the confirm.
    init(window: Int, timeout: Duration, time: TimeSource, logger: Logger, open: @escaping AMQPOpener) {
        self.open = open
        self.timeout = timeout
        self.time = time
        self.logger = logger
        let shared = Shared(State(engine: PublishEngine(window: window)))
        self.shared = shared
        self.alarm = Alarm(
            time, nextDeadline: { shared.state.withLock { $0.engine.nextDeadline } },
            fire: { Self.expire(shared, at: time.now(), timeout: timeout) })
    }

    /// Publishes and waits for the confirm.
    ///
    /// - Throws: ``QueueError`` `.unavailable` when none came in time, in which case the server may have the message or not; `.closed`.
    func publish(_ outgoing: AMQPConnection.Outgoing) async throws -> Outcome {
        let deadline = self.time.now().advanced(by: self.timeout)
        return try await withCheckedThrowingContinuation { continuation in
            let isClosed = self.shared.state.withLock { state in
                guard !state.isClosed else { return true }
                let id = state.engine.submit(outgoing, deadline: deadline)
                state.callers[id] = continuation
                return false
            }
            if isClosed { return continuation.resume(throwing: QueueError.brokerClosed) }
            self.proceed()
            self.alarm.refresh()
        }
    }

    func shutdown() async {
        let (callers, connection) = self.shared.state.withLock { state in
            state.isClosed = true
            let callers = state.engine.close().compactMap { state.callers.removeValue(forKey: $0) }
            defer { state.connection = nil }
            return (callers, state.connection)
        }
        for caller in callers { caller.resume(throwing: QueueError.brokerClosed) }
        self.alarm.refresh()
        await connection?.close()
    }

    // MARK: Sending

    /// Connects or sends, whatever is to be done and nobody does.
    private func proceed() {
        enum Work { case connect, send(AMQPConnection), nothing }
        let work: Work = self.shared.state.withLock { state in
            if state.engine.needsLink, !state.isConnecting, !state.isClosed {
                state.isConnecting = true
                return .connect
            }
            if let connection = state.connection, !state.isSending {
                state.isSending = true
                return .send(connection)
            }
            return .nothing
        }
        switch work {
        case .connect: Task { await self.connect() }
        case .send(let connection): Task { await self.send(over: connection) }
        case .nothing: break
        }
    }

    private func send(over connection: AMQPConnection) async {
        while true {
            let batch = self.shared.state.withLock { state in
                let batch = state.connection === connection ? state.engine.nextBatch() : []
                if batch.isEmpty { state.isSending = false }
                return batch
            }
            if batch.isEmpty { break }
            // A failure is told as an event as well, and the engine sends again.
            _ = try? await connection.publish(batch)
        }
        // A new connection may have been made while this task held the right to send.
        if self.shared.state.withLock({ $0.connection != nil && $0.connection !== connection }) { self.proceed() }
    }

    private func connect() async {
        var failures = 0
        while let epoch = self.nextEpoch() {
            do {
                let connection = try await self.open { [weak self] event in self?.take(event, epoch: epoch) }
                try await connection.selectConfirms()
                if !self.isConnected(connection, epoch: epoch) { await connection.close() }
                return self.proceed()
            } catch {
                failures += 1
                let obstacle = AMQPFailure.words(for: error)
                self.shared.state.withLock { $0.obstacle = obstacle }
                self.logger.warning("cannot connect to publish", metadata: ["error": "\(obstacle)", "failures": "\(failures)"])
                var random = RandomSource.system
                try? await self.time.sleep(for: RetryPolicy.reconnect.delay(afterFailures: failures, using: &random))
            }
        }
    }

    /// A number for the next connection; `nil` when none is needed any more.
    private func nextEpoch() -> UInt64? {
        self.shared.state.withLock { state in
            guard state.engine.needsLink, !state.isClosed else {
                state.isConnecting = false
                return nil
            }
            state.epoch += 1
            return state.epoch
        }
    }

    private func isConnected(_ connection: AMQPConnection, epoch: UInt64) -> Bool {
        self.shared.state.withLock { state in
            state.isConnecting = false
            guard state.epoch == epoch, !state.isClosed else { return false }
            state.connection = connection
            state.obstacle = nil
            state.engine.connected()
            return true
        }
    }

    // MARK: What comes back

    private func take(_ event: AMQPEvent, epoch: UInt64) {
        let ended: [(CheckedContinuation<Outcome, any Error>, Outcome)] = self.shared.state.withLock { state in
            guard state.epoch == epoch else { return [] }
            switch event {
            case .confirmed(let tag, let multiple, let isAccepted):
                return state.engine.confirmed(tag: tag, multiple: multiple, isAccepted: isAccepted).compactMap { id, outcome in
                    state.callers.removeValue(forKey: id).map { ($0, outcome) }
                }
            case .content(let content):
                if case .returned(let code, let text, _, _) = content.head {
                    state.engine.returned(messageID: content.messageID, text: "\(code) \(text)")
                }
            case .blocked(let reason):
                state.engine.blocked()
                state.obstacle = "the server takes nothing now: \(reason)"
            case .unblocked:
                state.engine.unblocked()
                state.obstacle = nil
            case .channelClosed(let code, let text):
                state.engine.connected()
                state.obstacle = "the server closed the channel with \(code): \(text)"
            case .closed(let failure):
                state.engine.disconnected()
                state.connection = nil
                state.obstacle = AMQPFailure.words(for: failure)
            case .consumerCancelled:
                break
            }
            return []
        }
        for (caller, outcome) in ended { caller.resume(returning: outcome) }
        self.proceed()
    }

    private static func expire(_ shared: Shared, at now: Instant, timeout: Duration) {
        let (callers, obstacle) = shared.state.withLock { state in
            (state.engine.expire(at: now).compactMap { state.callers.removeValue(forKey: $0) }, state.obstacle)
        }
        let reason = obstacle.map { ": \($0)" } ?? ""
        for caller in callers {
            caller.resume(throwing: QueueError(code: .unavailable, message: "RabbitMQ has not confirmed within \(timeout)\(reason)"))
        }
    }
}
