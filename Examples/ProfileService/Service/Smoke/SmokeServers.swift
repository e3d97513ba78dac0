import CacheKit
import CacheKitMemcached
import Logging
import QueueKit
import QueueKitRabbitMQ

/// The servers on which the scenario is played, by their URLs.
public struct SmokeServers: Sendable {
    /// Keeps the sessions, the results of jobs, and whatever else has no server of its own.
    public var redis: String
    /// Keeps the cache; nil: Redis does.
    public var memcached: String?
    /// Keeps the jobs; nil: a SQLite file does.
    public var rabbitMQ: String?

    /// Does the proxy's work, by the path of its program; nil: the embedded proxy does.
    public var nginx: String?

    public init(redis: String, memcached: String? = nil, rabbitMQ: String? = nil, nginx: String? = nil) {
        self.redis = redis
        self.memcached = memcached
        self.rabbitMQ = rabbitMQ
        self.nginx = nginx
    }

    /// Asks each server once: the scenario has no use for one that is down.
    ///
    /// - Throws: `StartError` that names the flag.
    func probe(_ logger: Logger) async throws {
        try await RedisClients(patience: .long, logger: logger).probe(self.redis, flag: "--redis")
        if let memcached { try await Self.probe(memcached: memcached) }
        if let rabbitMQ { try await Self.probe(rabbitMQ: rabbitMQ, logger) }
    }

    private static func probe(memcached url: String) async throws {
        guard let store = try Stores.memcached(for: .memcached(url: url), flag: "--memcached", patience: .long) else { return }
        do {
            try await store.ping()
        } catch {
            throw StartError("--memcached: a server cannot be reached; start it, or name others")
        }
        await store.shutdown()
    }

    private static func probe(rabbitMQ url: String, _ logger: Logger) async throws {
        let broker = try RabbitMQ.open(url, flag: "--amqp", patience: .long, logger: logger)
        let waiting: Int
        do {
            let counts = try await broker.counts(of: JobQueue.Configuration().defaultQueue)
            waiting = counts.ready + counts.leased
        } catch {
            throw StartError("--amqp: \((error as? QueueError)?.message ?? "cannot be asked")")
        }
        await broker.shutdown()
        // They would be run, and they are somebody's.
        guard waiting == 0 else {
            throw StartError("--amqp: \(waiting) jobs wait there; name a virtual host without any, for this runs what it finds")
        }
    }
}
