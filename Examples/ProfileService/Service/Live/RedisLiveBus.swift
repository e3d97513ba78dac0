import ScaleRedis

/// The bus of instances on many machines: a channel of Redis.
struct RedisLiveBus: LiveBus {
    private let redis: RedisClient
    private let channel: String

    /// - Parameter namespace: the cache's. Channels belong to no database of the server, so services that share one need names of their own.
    init(redis: RedisClient, namespace: String) {
        self.redis = redis
        self.channel = "\(namespace):live"
    }

    func publish(_ change: LiveChange) async throws {
        try await self.redis.publish(RedisArgument(change.text), to: self.channel)
    }

    func listen(_ heard: (LiveChange) async -> Void) async throws {
        let subscription = try await self.redis.subscribe(channels: [self.channel])
        defer { subscription.close() }
        await heard(.anything)
        for try await event in subscription.events {
            switch event {
            case .message(let message):
                if let change = LiveChange(message.payload) { await heard(change) }
            case .interrupted, .subscribed:
                break
            case .resumed, .dropped:
                await heard(.anything)
            }
        }
    }
}
