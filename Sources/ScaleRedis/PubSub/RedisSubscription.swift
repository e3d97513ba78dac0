import ScaleCore

/// Messages of channels and patterns, as they come.
///
/// ```swift
/// let subscription = try await redis.subscribe(channels: ["news"])
/// for try await message in subscription { print(message.payload) }
/// ```
///
/// It has a connection of its own, which subscribes again when it was lost. Redis delivers at most once: what is published while the
/// connection is down is missed. Whoever must know that iterates over ``events`` instead of the messages alone.
///
/// The subscription ends when the client is shut down (its sequence ends then), with ``close()``, or when the last reference to it
/// goes. Several iterators share the messages; each comes to one of them.
public final class RedisSubscription: AsyncSequence, Sendable {
    public typealias Element = RedisMessage

    private let connection: SubscriptionConnection
    /// A client that goes away closes its subscriptions; this one needs it to stay.
    private let client: RedisClient
    private let onClose: @Sendable () -> Void

    init(_ connection: SubscriptionConnection, client: RedisClient, onClose: @escaping @Sendable () -> Void) {
        self.connection = connection
        self.client = client
        self.onClose = onClose
    }

    deinit {
        self.close()
    }

    /// Unsubscribes by closing the connection. What is buffered can still be read. Idempotent.
    public func close() {
        self.connection.close()
        self.onClose()
    }

    /// Adds a channel to those of this connection, and returns at once. The server's confirmation comes as the event
    /// ``RedisSubscriptionEvent/subscribed(_:)``, each time that a channel is added. Where the connection is being made anew,
    /// ``RedisSubscriptionEvent/resumed`` stands for it. A server that refuses the channel ends the subscription with its error.
    public func subscribe(to channel: String) {
        self.connection.add(channel)
    }

    /// Takes a channel away from those of this connection, and returns at once. Messages that are on their way still come.
    public func unsubscribe(from channel: String) {
        self.connection.remove(channel)
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(events: self.events.makeAsyncIterator())
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var events: Events.AsyncIterator

        /// The next message; nil after the end. Throws ``RedisError`` when the server refuses to take the client back, or
        /// `CancellationError`.
        public mutating func next() async throws -> RedisMessage? {
            while let event = try await self.events.next() {
                if case .message(let message) = event { return message }
            }
            return nil
        }
    }

    /// Messages, and what happened to the connection between them.
    public var events: Events { Events(subscription: self) }

    public struct Events: AsyncSequence, Sendable {
        public typealias Element = RedisSubscriptionEvent

        fileprivate let subscription: RedisSubscription

        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(subscription: self.subscription)
        }

        public struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let subscription: RedisSubscription

            public mutating func next() async throws -> RedisSubscriptionEvent? {
                try await self.subscription.connection.next()
            }
        }
    }
}

extension RedisClient {
    /// Subscribes to channels and patterns, and returns when the server has confirmed all: whatever is published later arrives.
    ///
    /// - Parameters:
    ///   - patterns: globs such as `news.*`.
    ///   - buffer: what is kept for a slow consumer.
    /// - Throws: ``RedisError`` when there is no subscription within `connectTimeout`, or `CancellationError`.
    public func subscribe(
        channels: [String] = [], patterns: [String] = [], buffer: RedisSubscriptionBuffer = .init()
    ) async throws -> RedisSubscription {
        guard !channels.isEmpty || !patterns.isEmpty else {
            throw RedisError(code: .invalidCommand, message: "a subscription needs a channel or a pattern", command: "SUBSCRIBE")
        }
        // Each once: the server confirms a repeated channel as often as it is named, but delivers once.
        let connection = self.makeSubscriptionConnection(channels.distinctNames, patterns.distinctNames, buffer)
        let dependents = self.dependents
        let id = try dependents.add { connection.close() }
        do {
            try await connection.open()
        } catch {
            connection.close()
            dependents.remove(id)
            throw error
        }
        return RedisSubscription(connection, client: self) { dependents.remove(id) }
    }
}
