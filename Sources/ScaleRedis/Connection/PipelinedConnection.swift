import Logging
import NIOCore
import ScaleCore

/// One pipelining connection to one server: the shell around ``ConnectionStateMachine``.
///
/// A caller encodes its command into the shared outgoing buffer and parks its continuation in one critical section; only the first
/// caller since the last flush wakes the event loop, which swaps the buffer out and writes it once. There is no promise, buffer, task or
/// timer per command.
final class PipelinedConnection: Sendable {
    typealias Machine = ConnectionStateMachine<UnsafeContinuation<RedisValue, any Error>>

    private enum Ending {
        case open([CheckedContinuation<Void, Never>])
        case ended
    }

    let address: String
    private let machine: Locked<Machine>
    private let link: ChannelLink
    /// Room for the deliveries of one read, kept from read to read.
    private let deliveries: NIOLoopBoundBox<[Machine.Delivery]>
    private let time: TimeSource
    private let logger: Logger
    private let metrics: ConnectionMetrics
    private let ending = Locked(Ending.open([]))

    init(link: ChannelLink, settings: ConnectionSettings, time: TimeSource, logger: Logger, metrics: ConnectionMetrics) {
        self.address = link.address
        self.machine = Locked(Machine(settings: settings))
        self.link = link
        self.deliveries = .makeBoxSendingValue([], eventLoop: link.eventLoop)
        self.time = time
        self.logger = logger
        self.metrics = metrics
    }
}

// MARK: - The caller's path

extension PipelinedConnection {
    /// Sends a command and waits for its reply; for a batch the reply is an array. An error reply is returned, not thrown.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled, else ``RedisError``.
    @inline(__always)
    func send(_ command: some WireCommand, patience: Duration = .zero) async throws -> RedisValue {
        try Task.checkCancellation()
        let token = CallToken.next()
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let effect = self.machine.withLock {
                    $0.submit(token, continuation, command, patience: patience, now: { self.time.now() })
                }
                self.act(effect, continuation)
                // A cancellation before the call had its place found nothing to cancel; it is not lost.
                if Task.isCancelled { self.cancel(token) }
            }
        } onCancel: {
            self.cancel(token)
        }
    }

    private func cancel(_ token: CallToken) {
        self.machine.withLock { $0.cancel(token) }?.resume(throwing: CancellationError())
    }

    @inline(__always)
    private func act(_ effect: Machine.SubmitEffect, _ continuation: UnsafeContinuation<RedisValue, any Error>) {
        switch effect {
        case .parked: break
        case .wake: self.link.eventLoop.execute { self.flush() }
        case .connect(let epoch, let rest): self.link.connect(epoch: epoch, after: rest, for: self)
        case .refuse(let error): continuation.resume(throwing: self.placed(error))
        }
    }

    /// Ends the connection: calls in flight may finish within `limit`, then everything fails. Returns when the socket is closed.
    func shutDown(within limit: Duration) async {
        let now = self.time.now()
        let turn = self.machine.withLock { $0.shutDown(at: now, deadline: now.advanced(by: limit)) }
        self.act(turn)
        await withCheckedContinuation { continuation in
            let isEnded = self.ending.withLock { ending in
                guard case .open(let waiters) = ending else { return true }
                ending = .open(waiters + [continuation])
                return false
            }
            if isEnded { continuation.resume() }
        }
    }

    /// Ends the connection at once, without waiting.
    func close() {
        self.act(self.machine.withLock { $0.close(Machine.shutDownError) })
    }

    private func placed(_ error: RedisError) -> RedisError {
        var error = error
        error.address = self.address
        return error
    }
}

// MARK: - Acting on decisions

extension PipelinedConnection {
    private func act(_ turn: Machine.Turn) {
        if turn.closesChannel { self.link.onLoop { self.link.closeChannel(unless: self.machine.withLock { $0.epoch }) } }
        switch turn.action {
        case .none: break
        case .wake: self.link.onLoop { self.flush() }
        case .connect(let epoch, let rest): self.link.connect(epoch: epoch, after: rest, for: self)
        case .finish: self.link.onLoop { self.finish() }
        }
        if let error = turn.failed.first?.error {
            self.metrics.failed(turn.failed.count)
            self.logger.debug("commands failed", metadata: ["count": "\(turn.failed.count)", "reason": "\(error.code)"])
        }
        for (waiter, error) in turn.failed { waiter.resume(throwing: self.placed(error)) }
    }

    private func flush() {
        let now = self.time.now()
        switch self.machine.withLock({ $0.flush(at: now) }) {
        case .none: break
        case .write(let bytes): self.link.write(bytes)
        case .lookAgain: self.link.eventLoop.execute { self.flush() }
        }
    }

    private func finish() {
        self.link.stopTimer()
        self.metrics.close()
        self.link.closed.whenComplete { _ in self.resumeEndingWaiters() }
    }

    private func resumeEndingWaiters() {
        let waiters: [CheckedContinuation<Void, Never>] = self.ending.withLock { ending in
            defer { ending = .ended }
            if case .open(let waiters) = ending { return waiters }
            return []
        }
        for waiter in waiters { waiter.resume() }
    }
}

// MARK: - Events of the channel

extension PipelinedConnection: ChannelLinkOwner {
    func restEnded(epoch: UInt64) -> Bool {
        let now = self.time.now()
        return self.machine.withLock { $0.restEnded(epoch: epoch, at: now) }
    }

    func ticked() -> Bool {
        let now = self.time.now()
        var random = RandomSource.system
        let (turn, isQuiet) = self.machine.withLock { machine in (machine.tick(at: now, using: &random), machine.isQuiet) }
        self.act(turn)
        return !isQuiet
    }

    func channelActive(_ channel: any Channel, epoch: UInt64) {
        guard let greeting = self.machine.withLock({ $0.connected(epoch: epoch) }) else {
            channel.close(promise: nil)
            return
        }
        self.link.attach(channel, epoch: epoch)
        self.logger.debug("connected", metadata: ["server": "\(self.address)"])
        self.link.write(greeting)
    }

    func received(_ replies: [RedisValue], epoch: UInt64) {
        let now = self.time.now()
        var deliveries: [Machine.Delivery] = []
        swap(&deliveries, &self.deliveries.value)
        var random = RandomSource.system
        let received = self.machine.withLock {
            $0.received(replies, epoch: epoch, at: now, using: &random, deliveries: &deliveries)
        }
        for delivery in deliveries { delivery.waiter.resume(returning: delivery.reply) }
        deliveries.removeAll(keepingCapacity: true)
        swap(&deliveries, &self.deliveries.value)
        self.metrics.received(received.replies, latency: received.latency, inFlight: received.inFlight)
        self.act(received.turn)
    }

    func writabilityChanged(_ isWritable: Bool, epoch: UInt64) {
        if self.machine.withLock({ $0.writabilityChanged(isWritable, epoch: epoch) }) { self.flush() }
    }

    func channelFailed(_ error: RedisError, epoch: UInt64) {
        let now = self.time.now()
        var random = RandomSource.system
        let turn = self.machine.withLock { $0.lost(epoch: epoch, error, at: now, using: &random) }
        if case .none = turn.action, turn.failed.isEmpty {
        } else {
            self.logger.info("connection lost", metadata: ["server": "\(self.address)", "reason": "\(error.message)"])
        }
        self.act(turn)
    }
}

// MARK: - What tests and metrics look at

extension PipelinedConnection {
    struct Load: Sendable {
        /// Calls that were handed to the channel and have no reply yet.
        var written: Int
        var inFlight: Int
        var waiting: Int
        var isDraining: Bool
        var lastFailure: RedisError?
    }

    var load: Load {
        self.machine.withLock { machine in
            var isDraining = false
            switch machine.phase {
            case .draining, .closed: isDraining = true
            case .disconnected, .opening, .ready, .refused: break
            }
            return Load(
                written: machine.inFlight.count - machine.unflushed, inFlight: machine.inFlight.count, waiting: machine.waiting.count,
                isDraining: isDraining, lastFailure: machine.opening.lastFailure)
        }
    }
}
