import Logging
import NIOCore
import ScaleCore

/// The shell around ``SubscriptionStateMachine`` and ``MessageBuffer``: one channel that only listens.
final class SubscriptionConnection: Sendable {
    typealias Waiter = CheckedContinuation<RedisSubscriptionEvent?, any Error>

    private enum Start {
        case pending(CheckedContinuation<Void, any Error>?)
        case done(RedisError?)
    }

    private let machine: Locked<SubscriptionStateMachine>
    private let buffer: Locked<MessageBuffer<Waiter>>
    private let start = Locked(Start.pending(nil))
    private let link: ChannelLink
    private let time: TimeSource
    private let logger: Logger

    init(
        link: ChannelLink, settings: ConnectionSettings, time: TimeSource, logger: Logger, channels: [String], patterns: [String],
        buffer: RedisSubscriptionBuffer
    ) {
        self.machine = Locked(SubscriptionStateMachine(settings: settings, channels: channels, patterns: patterns))
        self.buffer = Locked(MessageBuffer(buffer))
        self.link = link
        self.time = time
        self.logger = logger
    }

    /// Connects and subscribes; returns when the server has confirmed every channel and pattern.
    ///
    /// Throws ``RedisError/Code/clientShutDown`` when the connection was closed, or is before that.
    func open() async throws {
        let now = self.time.now()
        self.act(self.machine.withLock { $0.start(at: now) })
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: RedisError?? = self.start.withLock { start in
                    guard case .done(let error) = start else {
                        start = .pending(continuation)
                        return nil
                    }
                    return .some(error)
                }
                if let outcome { continuation.resume(with: outcome.map { .failure($0) } ?? .success(())) }
                if Task.isCancelled { self.cancelStart() }
            }
        } onCancel: {
            self.cancelStart()
        }
        // Cancelled before it stood there to be told so.
        try Task.checkCancellation()
    }

    private func cancelStart() {
        self.takeStart()?.resume(throwing: CancellationError())
        self.close()
    }

    /// The caller who waits for the first subscription, once.
    private func takeStart(_ error: RedisError? = nil) -> CheckedContinuation<Void, any Error>? {
        self.start.withLock { start in
            guard case .pending(let continuation?) = start else {
                if case .pending = start { start = .done(error) }
                return nil
            }
            start = .done(error)
            return continuation
        }
    }

    /// The next event; nil after the end.
    func next() async throws -> RedisSubscriptionEvent? {
        try Task.checkCancellation()
        let token = CallToken.next().number
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Waiter) in
                switch self.buffer.withLock({ $0.next(token, continuation) }) {
                case .event(let event): continuation.resume(returning: event)
                case .end(.finished): continuation.resume(returning: nil)
                case .end(.failed(let error)): continuation.resume(throwing: error)
                case .parked: if Task.isCancelled { self.cancel(token) }
                }
            }
        } onCancel: {
            self.cancel(token)
        }
    }

    private func cancel(_ token: UInt64) {
        self.buffer.withLock { $0.cancel(token) }?.resume(throwing: CancellationError())
    }

    /// Decided on the event loop, where the state of the connection and what is written to it go together.
    func add(_ channel: String) {
        self.link.onLoop {
            if let effect = self.machine.withLock({ $0.add(channel) }) { self.act(effect) }
        }
    }

    func remove(_ channel: String) {
        self.link.onLoop {
            if let effect = self.machine.withLock({ $0.remove(channel) }) { self.act(effect) }
        }
    }

    /// Whether a caller waits for the first subscription.
    var isAwaited: Bool {
        self.start.withLock { start in
            switch start {
            case .pending(let continuation): continuation != nil
            case .done: false
            }
        }
    }

    /// Ends the subscription; consumers read what is buffered and then the end. Who still waits for it to begin gets an error.
    func close() {
        self.machine.withLock { $0.close() }
        var error = RedisError.clientShutDown
        error.address = self.link.address
        self.takeStart(error)?.resume(throwing: error)
        self.finish(.finished)
    }

    private func finish(_ end: MessageBuffer<Waiter>.End) {
        for waiter in self.buffer.withLock({ $0.finish(end) }) {
            switch end {
            case .finished: waiter.resume(returning: nil)
            case .failed(let error): waiter.resume(throwing: error)
            }
        }
        self.link.onLoop {
            self.link.stopTimer()
            self.link.closeChannel()
        }
    }
}

// MARK: - Acting on decisions

extension SubscriptionConnection {
    private func act(_ effect: SubscriptionStateMachine.Effect) {
        switch effect {
        case .write(let bytes):
            self.link.onLoop { self.link.write(bytes) }
        case .emit(let event):
            self.buffer.withLock { $0.push(event) }?.resume(returning: event)
        case .started:
            self.takeStart()?.resume()
        case .reconnect(let epoch, let rest):
            self.link.onLoop { self.link.closeChannel(unless: epoch) }
            self.link.connect(epoch: epoch, after: rest, for: self)
        case .fail(let error):
            var error = error
            error.address = self.link.address
            self.logger.warning("subscription failed", metadata: ["server": "\(self.link.address)", "reason": "\(error.message)"])
            self.takeStart(error)?.resume(throwing: error)
            self.finish(.failed(error))
        }
    }
}

extension SubscriptionConnection: ChannelLinkOwner {
    func restEnded(epoch: UInt64) -> Bool {
        let now = self.time.now()
        return self.machine.withLock { $0.restEnded(epoch: epoch, at: now) }
    }

    func ticked() -> Bool {
        let now = self.time.now()
        var random = RandomSource.system
        let (effects, isClosed) = self.machine.withLock { machine in (machine.tick(at: now, using: &random), machine.isClosed) }
        for effect in effects { self.act(effect) }
        return !isClosed
    }

    func channelActive(_ channel: any Channel, epoch: UInt64) {
        guard let greeting = self.machine.withLock({ $0.connected(epoch: epoch) }) else {
            channel.close(promise: nil)
            return
        }
        self.link.attach(channel, epoch: epoch)
        self.link.write(greeting)
    }

    func received(_ replies: [RedisValue], epoch: UInt64) {
        let now = self.time.now()
        var random = RandomSource.system
        for reply in replies {
            let effect = self.machine.withLock { $0.received(reply, epoch: epoch, at: now, using: &random) }
            if let effect { self.act(effect) }
        }
    }

    func writabilityChanged(_ isWritable: Bool, epoch: UInt64) {}

    func channelFailed(_ error: RedisError, epoch: UInt64) {
        let now = self.time.now()
        var random = RandomSource.system
        let effects = self.machine.withLock { $0.lost(epoch: epoch, error, at: now, using: &random) }
        if !effects.isEmpty {
            self.logger.info(
                "subscription interrupted", metadata: ["server": "\(self.link.address)", "reason": "\(error.message)"])
        }
        for effect in effects { self.act(effect) }
    }
}
