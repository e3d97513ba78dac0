internal import QueueKit
internal import ScaleCore

/// Delays that the server keeps, in the way of Celery's native delayed delivery: 28 queues that each hold a message for a power of two
/// seconds and hand it on, chosen by the bits of the delay in its routing key.
///
/// A message with a delay of 5 s (…101) waits in the queues of 4 s and 1 s. RabbitMQ expires messages at the head of a queue only, so
/// queues of mixed delays would block each other; these hold one delay each.
enum DelayLadder {
    static let levels = 28
    /// The longest delay, some 8.5 years.
    static let longestSeconds: Int64 = 1 << Int64(levels) - 1
    static let delivery = "celery_delayed_delivery"

    static func name(_ level: Int) -> String { "celery_delayed_\(level)" }

    /// The exchange into which a delayed message is published.
    static var entrance: String { Self.name(Self.levels - 1) }

    /// The routing key of a message with that delay, in whole seconds and rounded up.
    ///
    /// - Throws: ``QueueError`` `.invalidQueueName` when the key, which has 57 bytes before the queue's name, would be longer than AMQP allows,
    ///   or a part of the name is a wildcard of topic exchanges.
    static func routingKey(_ queue: String, after delay: Duration) throws(QueueError) -> String {
        let isWild = queue.split(separator: ".").contains { $0 == "*" || $0 == "#" }
        guard !isWild, 2 * Self.levels + queue.utf8.count <= 255 else {
            throw QueueError(code: .invalidQueueName, message: "this name cannot have delayed messages on RabbitMQ", queue: queue)
        }
        let milliseconds = max(0, delay.wholeMillisecondsRoundedUp)
        let seconds = min(milliseconds / 1000 + (milliseconds % 1000 > 0 ? 1 : 0), Self.longestSeconds)
        let bits = (0..<Int64(Self.levels)).reversed().map { seconds >> $0 & 1 == 1 ? "1." : "0." }
        return bits.joined() + queue
    }

    /// Declares the ladder. Exchanges and queues are Celery's, argument by argument.
    static func declare(on connection: AMQPConnection) async throws {
        try await connection.declareExchange(Self.delivery, type: "topic")
        for level in 0..<Self.levels {
            let next = level == 0 ? Self.delivery : Self.name(level - 1)
            let higherBits = String(repeating: "*.", count: Self.levels - 1 - level)
            try await connection.declareExchange(Self.name(level), type: "topic")
            try await connection.declareQueue(
                Self.name(level),
                arguments: [
                    "x-queue-type": "quorum", "x-overflow": "reject-publish", "x-message-ttl": .integer(1000 << Int64(level)),
                    "x-dead-letter-exchange": .string(next), "x-dead-letter-strategy": "at-least-once",
                ])
            try await connection.bindQueue(Self.name(level), to: Self.name(level), key: higherBits + "1.#")
            try await connection.bindExchange(next, to: Self.name(level), key: higherBits + "0.#")
        }
    }

    /// Lets a queue have what was delayed for it, and nothing else: Celery's `#.b` would also match what is for `a.b`.
    static func bind(_ queue: String, on connection: AMQPConnection) async throws {
        try await connection.bindQueue(queue, to: Self.delivery, key: String(repeating: "*.", count: Self.levels) + queue)
    }
}
