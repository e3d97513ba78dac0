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
        /// The last one that was lost, perhaps before anybody knew that it was there.
        var lostEpoch: UInt64 = 0
        var isConnecting = false
        var isSending = false
        var isClosed = false
        var obstacle: String?
        var frameBytes = AMQPFrameSize.wanted
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
    /// - Parameter isCancellable: whether a caller that is cancelled gives up what has not been sent yet. What is on its way is waited for.
    /// - Throws: ``QueueError`` `.unavailable` when no confirm came in time, in which case the server may have the message or not;
    ///   `.messageTooLarge` when its headers do not fit into a frame; `.closed`; `CancellationError`.
    func publish(_ outgoing: AMQPOutgoing, isCancellable: Bool = false) async throws -> Outcome {
        let (id, frameBytes) = self.shared.state.withLock { ($0.engine.nextID(), $0.frameBytes) }
        guard AMQPFrameSize.fits(outgoing.message.headers, in: frameBytes) else {
            throw QueueError(code: .messageTooLarge, message: "the headers do not fit into one AMQP frame of \(frameBytes) bytes")
        }
        guard isCancellable else { return try await self.submit(outgoing, id, isCancellable: false) }
        return try await withTaskCancellationHandler {
            try await self.submit(outgoing, id, isCancellable: true)
        } onCancel: {
            self.cancel(id)
        }
    }

    private func submit(_ outgoing: AMQPOutgoing, _ id: UInt64, isCancellable: Bool) async throws -> Outcome {
        let deadline = self.time.now().advanced(by: self.timeout)
        return try await withCheckedThrowingContinuation { continuation in
            let error: (any Error)? = self.shared.state.withLock { state in
                if state.isClosed { return QueueError.brokerClosed }
                // A task's flag is set before its handler runs: it is seen here, or the handler finds the message.
                if isCancellable, Task.isCancelled { return CancellationError() }
                state.engine.submit(outgoing, id: id, deadline: deadline)
                state.callers[id] = continuation
                return nil
            }
            if let error { return continuation.resume(throwing: error) }
            self.proceed()
            self.alarm.refresh()
        }
    }

    private func cancel(_ id: UInt64) {
        let caller = self.shared.state.withLock { state in
            state.engine.withdraw(id) ? state.callers.removeValue(forKey: id) : nil
        }
        guard let caller else { return }
        caller.resume(throwing: CancellationError())
        self.alarm.refresh()
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
            if let connection = state.connection, !state.isSending, state.engine.canSend {
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
        do {
            try await connection.publish { self.nextBatch(for: connection) }
        } catch {
            // It is told as an event as well, after which the engine sends again over the next connection.
            self.shared.state.withLock { $0.isSending = false }
        }
        self.proceed()
    }

    /// What the connection is to send next; nothing gives the right to send back.
    private func nextBatch(for connection: AMQPConnection) -> [AMQPOutgoing] {
        self.shared.state.withLock { state in
            let batch = state.connection === connection ? state.engine.nextBatch() : []
            if batch.isEmpty { state.isSending = false }
            return batch
        }
    }

    private func connect() async {
        var failures = 0
        while let epoch = self.nextEpoch() {
            do {
                let connection = try await self.open { [weak self] events in self?.take(events, epoch: epoch) }
                do {
                    try await connection.selectConfirms()
                } catch {
                    await connection.close()
                    throw error
                }
                let frameBytes = await connection.frameBytes
                if !self.isConnected(connection, epoch: epoch, frameBytes: frameBytes) { await connection.close() }
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

    private func isConnected(_ connection: AMQPConnection, epoch: UInt64, frameBytes: Int) -> Bool {
        self.shared.state.withLock { state in
            state.isConnecting = false
            guard state.epoch == epoch, state.lostEpoch != epoch, !state.isClosed else { return false }
            state.connection = connection
            state.frameBytes = frameBytes
            state.obstacle = nil
            state.engine.connected()
            return true
        }
    }

    // MARK: What comes back

    private func take(_ events: [AMQPEvent], epoch: UInt64) {
        let ended: [(CheckedContinuation<Outcome, any Error>, Outcome)] = self.shared.state.withLock { state in
            guard state.epoch == epoch else { return [] }
            var ended: [(CheckedContinuation<Outcome, any Error>, Outcome)] = []
            for event in events {
                for (id, outcome) in Self.take(event, &state) {
                    if let caller = state.callers.removeValue(forKey: id) { ended.append((caller, outcome)) }
                }
            }
            return ended
        }
        for (caller, outcome) in ended { caller.resume(returning: outcome) }
        self.proceed()
    }

    /// - Returns: the publications that ended by it.
    private static func take(_ event: AMQPEvent, _ state: inout State) -> [(id: UInt64, outcome: Outcome)] {
        switch event {
        case .confirmed(let tag, let multiple, let isAccepted):
            return state.engine.confirmed(tag: tag, multiple: multiple, isAccepted: isAccepted)
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
            state.obstacle = "the server closed the channel with \(code): \(text)"
            return state.engine.channelClosed(code: code, text: text)
        case .closed(let failure):
            state.engine.disconnected()
            state.connection = nil
            state.lostEpoch = state.epoch
            state.obstacle = AMQPFailure.words(for: failure)
        case .consumerCancelled:
            break
        }
        return []
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
