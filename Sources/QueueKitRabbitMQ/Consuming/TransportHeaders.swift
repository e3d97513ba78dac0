internal import QueueKit

/// Headers that the way through RabbitMQ adds, and that neither workers nor the next publication are to see.
enum TransportHeaders {
    /// How often a worker was lost with this message. A classic queue keeps no count, and `redelivered` alone cannot tell one from many.
    static let losses = "x-scalekit-losses"
    /// Why and when a message became a dead letter.
    static let deadReason = "x-scalekit-dead-reason"
    static let deadSince = "x-scalekit-dead-since"
    /// A quorum queue's count of deliveries that failed.
    static let deliveryCount = "x-delivery-count"

    /// RabbitMQ's own account of dead-lettering. Published again with it, a message could be taken for one that goes round in circles, and
    /// be dropped.
    private static let own: Set<String> = [
        Self.losses, Self.deadReason, Self.deadSince, Self.deliveryCount, "x-death", "x-first-death-exchange", "x-first-death-queue",
        "x-first-death-reason", "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason",
    ]

    /// The message as its sender made it.
    static func strip(_ message: Message) -> Message {
        var message = message
        // Most headers are not ours: one byte tells.
        for key in message.headers.keys where key.utf8.first == UInt8(ascii: "x") && Self.own.contains(key) {
            message.headers[key] = nil
        }
        return message
    }

    static func count(_ name: String, in message: Message) -> Int {
        Int(clamping: max(0, message.headers[name]?.integerValue ?? 0))
    }
}
