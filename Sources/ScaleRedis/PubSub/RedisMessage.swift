/// A message that was published to a channel.
public struct RedisMessage: Sendable, Hashable {
    public var channel: String
    /// The pattern of the subscription that it came by; nil when the channel itself was subscribed to. A message that matches several
    /// subscriptions comes once for each.
    public var pattern: String?
    public var payload: [UInt8]

    public init(channel: String, pattern: String? = nil, payload: [UInt8]) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
    }
}

/// What happens on a subscription, in order.
public enum RedisSubscriptionEvent: Sendable, Hashable {
    case message(RedisMessage)
    /// The connection was lost. What is published until ``resumed`` is missed: Redis keeps nothing for absent subscribers.
    case interrupted
    /// Connected and subscribed again.
    case resumed
    /// A channel that was added by ``RedisSubscription/subscribe(to:)`` is confirmed: whatever is published to it from now on arrives.
    case subscribed(String)
    /// The consumer was too slow for its buffer, and this many messages were dropped here.
    case dropped(Int)
}

/// How much a subscription keeps for a consumer that is slower than its publishers.
public struct RedisSubscriptionBuffer: Sendable, Hashable {
    /// Which messages go when the buffer is full.
    public enum Overflow: Sendable, Hashable {
        case dropOldest
        case dropNewest
    }

    /// At least 1. Default 1024.
    public var limit = 1024
    public var overflow = Overflow.dropOldest

    public init(limit: Int = 1024, overflow: Overflow = .dropOldest) {
        self.limit = limit
        self.overflow = overflow
    }
}
