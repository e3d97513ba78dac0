internal import QueueKit

/// A message on its way to the server.
///
/// What it consists of is behind one reference, since it goes through several hands before it is written.
struct AMQPOutgoing: Sendable {
    private final class Content: Sendable {
        let exchange: String
        let routingKey: String
        let message: Message
        let isMandatory: Bool

        init(exchange: String, routingKey: String, message: Message, isMandatory: Bool) {
            self.exchange = exchange
            self.routingKey = routingKey
            self.message = message
            self.isMandatory = isMandatory
        }
    }

    private let content: Content
    /// The number by which it is recognized when the server returns it; its `message-id` is this as text.
    var number: UInt64?

    init(exchange: String, routingKey: String, message: Message, isMandatory: Bool) {
        self.content = Content(exchange: exchange, routingKey: routingKey, message: message, isMandatory: isMandatory)
    }

    var exchange: String { self.content.exchange }
    var routingKey: String { self.content.routingKey }
    var message: Message { self.content.message }
    var isMandatory: Bool { self.content.isMandatory }
    var messageID: String? { self.number.map { String($0) } }
}
