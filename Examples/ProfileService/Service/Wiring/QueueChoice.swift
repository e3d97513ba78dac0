/// Where jobs wait: `memory`, `sqlite:FILE`, or RabbitMQ by its URL.
public enum QueueChoice: Sendable {
    case memory
    case sqlite(path: String)
    case rabbitMQ(url: String)

    var isMemory: Bool {
        switch self {
        case .memory: true
        case .sqlite, .rabbitMQ: false
        }
    }

    /// Nil for anything else. What looks like credentials counts as a URL, as with ``StoreChoice``.
    public init?(_ text: String) {
        if text == "memory" {
            self = .memory
        } else if text.hasPrefix("sqlite:"), text.count > "sqlite:".count {
            self = .sqlite(path: String(text.dropFirst("sqlite:".count)))
        } else if ["amqp://", "amqps://", "pyamqp://"].contains(where: text.hasPrefix) || text.contains("@") {
            self = .rabbitMQ(url: text)
        } else {
            return nil
        }
    }
}
