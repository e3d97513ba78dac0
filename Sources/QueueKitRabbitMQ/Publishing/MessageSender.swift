internal import QueueKit
internal import ScaleCore

/// Publishes messages into queues, which are declared first, and tells what became of them.
final class MessageSender: Sendable {
    private enum Declared: Hashable {
        case queue(ExactName)
        case delays(of: ExactName)
        case ladder
    }

    let topology: QueueTopology
    private let publisher: ConfirmingPublisher
    private let control: AMQPLink
    private let time: TimeSource
    /// What exists as far as we know. A message that comes back unroutable shows that we know nothing.
    private let declared = Locked(Set<Declared>())

    init(topology: QueueTopology, publisher: ConfirmingPublisher, control: AMQPLink, time: TimeSource) {
        self.topology = topology
        self.publisher = publisher
        self.control = control
        self.time = time
    }

    /// Publishes to a queue; once more when the queue turns out to have gone.
    ///
    /// - Parameters:
    ///   - losses: how often a worker was lost with this message.
    ///   - isCancellable: whether a cancelled caller gives up what has not been sent yet.
    /// - Throws: ``QueueError`` `.unavailable`, `.unroutable`, `.closed`, `.invalidQueueName`, `.messageTooLarge`; `CancellationError`.
    func send(
        _ message: Message, to queue: String, notBefore: UTCTime?, losses: Int, isCancellable: Bool = false
    ) async throws {
        let delay = notBefore.map { self.time.utcNow().duration(to: $0) } ?? .zero
        var message = TransportHeaders.strip(message)
        if losses > 0 { message.headers[TransportHeaders.losses] = .integer(Int64(losses)) }
        // It would end the wait early.
        if delay > .zero || Self.isBeyondLimit(message.properties.expiration) { message.properties.expiration = nil }
        let outgoing = AMQPOutgoing(
            exchange: delay > .zero ? DelayLadder.entrance : "",
            routingKey: delay > .zero ? try DelayLadder.routingKey(queue, after: delay) : queue, message: message, isMandatory: true)
        for isLastAttempt in [false, true] {
            try await self.declare(queue, withDelays: delay > .zero)
            switch try await self.publish(outgoing, for: queue, isCancellable: isCancellable) {
            case .confirmed:
                return
            case .rejected:
                throw QueueError(code: .unavailable, message: "RabbitMQ did not accept the message; its queue may be full", queue: queue)
            case .unroutable(let text):
                self.forgetDeclared()
                if isLastAttempt { throw QueueError(code: .unroutable, message: "no queue took the message: \(text)", queue: queue) }
            case .refused(let code, let text):
                self.forgetDeclared()
                // An exchange of the delays may be gone.
                if isLastAttempt || code != 404 { throw AMQPFailure.refused(code: code, text: text).error(publishingTo: queue) }
            }
        }
    }

    /// Whether a message would live for longer than RabbitMQ takes as a number: 32 bits of milliseconds in its older versions, a hundred
    /// years in others. What has expired is then only noticed by the worker, from the message's own header.
    private static func isBeyondLimit(_ expiration: String?) -> Bool {
        guard let expiration, let milliseconds = UInt64(expiration) else { return false }
        return milliseconds > UInt64(UInt32.max)
    }

    private func publish(
        _ outgoing: AMQPOutgoing, for queue: String, isCancellable: Bool
    ) async throws -> PublishEngine.Outcome {
        do {
            return try await self.publisher.publish(outgoing, isCancellable: isCancellable)
        } catch var error as QueueError {
            error.queue = queue
            throw error
        }
    }

    private func forgetDeclared() {
        self.declared.withLock { $0 = [] }
    }

    /// Publishes to the dead letters of a queue.
    func bury(_ message: Message, from queue: String, reason: String) async throws {
        try await self.control.run(queue: queue) { [topology] in try await topology.declareDeadLetters(of: queue, on: $0) }
        var message = TransportHeaders.strip(message)
        message.headers[TransportHeaders.deadReason] = .string(reason)
        message.headers[TransportHeaders.deadSince] = .integer(self.time.utcNow().millisecondsSinceEpoch)
        message.properties.expiration = nil
        let outcome = try await self.publish(
            AMQPOutgoing(
                exchange: "", routingKey: self.topology.deadLetterQueue(of: queue), message: message, isMandatory: true), for: queue,
            isCancellable: false)
        guard outcome == .confirmed else {
            throw QueueError(code: .unavailable, message: "RabbitMQ did not accept the dead letter", queue: queue)
        }
    }

    /// Makes sure that a queue exists, with Celery's arguments.
    func declare(_ queue: String, withDelays: Bool = false) async throws {
        let key = ExactName(queue)
        // What nearly every message asks for.
        if !withDelays, self.declared.withLock({ $0.contains(.queue(key)) }) { return }
        let wanted: Set<Declared> = withDelays ? [.queue(key), .ladder, .delays(of: key)] : [.queue(key)]
        let missing = self.declared.withLock { wanted.subtracting($0) }
        if missing.isEmpty { return }
        let topology = self.topology
        try await self.control.run(queue: queue) { connection in
            if missing.contains(.queue(key)) { try await topology.declare(queue, on: connection) }
            if missing.contains(.ladder) { try await DelayLadder.declare(on: connection) }
            if missing.contains(.delays(of: key)) { try await DelayLadder.bind(queue, on: connection) }
        }
        self.declared.withLock { $0.formUnion(wanted) }
    }
}
