internal import QueueKit

/// Puts a message together from the frames in which AMQP sends it: a method, a header with the body's size, and the body in pieces.
struct ContentAssembler {
    /// The method that announces a message.
    enum Head: Sendable {
        case deliver(tag: UInt64, consumer: String, isRedelivered: Bool, exchange: String, routingKey: String)
        case returned(code: Int, text: String, exchange: String, routingKey: String)
    }

    /// A message whose last frame has come.
    struct Content: Sendable {
        var head: Head
        var message: Message
        /// The property by which we recognize what we have published ourselves.
        var messageID: String?
        /// The headers could not be read; they are empty here.
        var isDamaged: Bool
    }

    /// The longest body that is taken: what RabbitMQ takes from publishers unless it is told otherwise.
    static let maximumBodyBytes: UInt64 = 134_217_728

    /// Frames in an order that AMQP does not allow, or a body beyond all limits: the stream has no meaning any more.
    struct Violation: Error {}

    private enum State {
        case idle
        case announced(Head)
        case inBody(Content, remaining: UInt64)
    }

    private var state = State.idle

    mutating func method(_ head: Head) throws(Violation) {
        guard case .idle = self.state else { throw Violation() }
        self.state = .announced(head)
    }

    /// The content's header; returns the message when it has no body.
    mutating func header(
        _ properties: Message.Properties, headers: JSONObject?, messageID: String?, bodySize: UInt64
    ) throws(Violation) -> Content? {
        guard case .announced(let head) = self.state, bodySize <= Self.maximumBodyBytes else { throw Violation() }
        let content = Content(
            head: head, message: Message(headers: headers ?? [:], properties: properties, body: []), messageID: messageID,
            isDamaged: headers == nil)
        return self.advance(content, remaining: bodySize)
    }

    /// A piece of the body; returns the message with its last one.
    mutating func body(_ bytes: some Collection<UInt8>) throws(Violation) -> Content? {
        guard case .inBody(var content, let remaining) = self.state, UInt64(bytes.count) <= remaining else { throw Violation() }
        self.state = .idle
        content.message.body.append(contentsOf: bytes)
        return self.advance(content, remaining: remaining - UInt64(bytes.count))
    }

    private mutating func advance(_ content: Content, remaining: UInt64) -> Content? {
        guard remaining > 0 else {
            self.state = .idle
            return content
        }
        self.state = .inBody(content, remaining: remaining)
        return nil
    }
}
