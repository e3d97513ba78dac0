internal import ScaleCore
internal import ScaleRedis

/// Tells those who wait for results when it is time to look: all over one subscribing connection.
///
/// A waiter looks when its channel is confirmed (so that nothing is missed between looking and listening), when something was published
/// on it, and when the connection was away.
final class ResultWatch: Sendable {
    typealias News = AsyncThrowingStream<Void, any Error>

    private struct State {
        var waiters: [ExactName: [UInt64: News.Continuation]] = [:]
        var lastTicket: UInt64 = 0
        /// Is there once the first subscription stands.
        var subscription: RedisSubscription?
        var listener: Task<Void, Never>?
    }

    private let redis: RedisClient
    private let state = Locked(State())

    init(_ redis: RedisClient) {
        self.redis = redis
    }

    deinit {
        self.state.withLock { $0.listener }?.cancel()
    }

    /// News about a key from now on, at least once. Throws what ended the subscription; ends when the waiting task is cancelled.
    func register(for key: String) -> (ticket: UInt64, news: News) {
        let (news, continuation) = News.makeStream(bufferingPolicy: .bufferingNewest(1))
        let ticket = self.state.withLock { state in
            state.lastTicket += 1
            state.waiters[ExactName(key), default: [:]][state.lastTicket] = continuation
            if let subscription = state.subscription {
                // Under the lock, so that channels are added and removed in the order in which waiters come and go.
                subscription.subscribe(to: key)
            } else if state.listener == nil {
                state.listener = Task { [weak self, redis] in
                    await Self.listen(redis, firstKey: key) { self }
                }
            }
            return state.lastTicket
        }
        return (ticket, news)
    }

    func unregister(_ ticket: UInt64, for key: String) {
        let name = ExactName(key)
        self.state.withLock { state in
            state.waiters[name]?[ticket] = nil
            guard state.waiters[name]?.isEmpty == true else { return }
            state.waiters[name] = nil
            state.subscription?.unsubscribe(from: key)
        }
    }

    /// Runs as long as the subscription does. It does not keep the watch, which ends it.
    private static func listen(_ redis: RedisClient, firstKey: String, _ watch: () -> ResultWatch?) async {
        do {
            let subscription = try await redis.subscribe(channels: [firstKey])
            watch()?.began(subscription, firstKey: firstKey)
            for try await event in subscription.events { watch()?.take(event) }
            // The client was shut down.
            watch()?.ended(RedisError(code: .clientShutDown, message: "the client was shut down", address: redis.address))
        } catch {
            watch()?.ended(error)
        }
    }

    private func began(_ subscription: RedisSubscription, firstKey: String) {
        self.state.withLock { state in
            state.subscription = subscription
            let first = ExactName(firstKey)
            for name in state.waiters.keys where name != first { subscription.subscribe(to: name.text) }
            if state.waiters[first] == nil { subscription.unsubscribe(from: firstKey) }
        }
        self.tell(firstKey)
    }

    private func take(_ event: RedisSubscriptionEvent) {
        switch event {
        case .message(let message): self.tell(message.channel)
        case .subscribed(let channel): self.tell(channel)
        case .resumed, .dropped: self.tellAll()
        case .interrupted: break
        }
    }

    private func tell(_ key: String) {
        let waiters = self.state.withLock { $0.waiters[ExactName(key)] }
        for waiter in (waiters ?? [:]).values { waiter.yield() }
    }

    private func tellAll() {
        let waiters = self.state.withLock { $0.waiters.values.flatMap(\.values) }
        for waiter in waiters { waiter.yield() }
    }

    /// Those who wait are told; the next one who comes begins anew.
    private func ended(_ error: any Error) {
        let waiters = self.state.withLock { state in
            state.subscription = nil
            state.listener = nil
            return state.waiters.values.flatMap(\.values)
        }
        for waiter in waiters { waiter.finish(throwing: error) }
    }
}
