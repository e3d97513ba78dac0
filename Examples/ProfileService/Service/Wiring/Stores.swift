import CacheKit
import CacheKitRedis
import Logging
import Metrics
import ScaleCore
import ScaleRedis
import ServiceLifecycle
import SessionStore
import SessionStoreRedis

/// What the instances of a service share: the cache, the sessions, the counts of failed logins, the analytics.
struct Stores: Sendable {
    let cache: Cache
    var sessions: Sessions<ProfileSession>
    let throttle: any LoginThrottle
    let analytics: any Analytics
    let checks: [String: Readiness.Check]
    let services: [any Service]

    /// - Throws: `StartError` that names the flag for a URL that cannot be used or credentials that are refused. A server that is
    ///   down is no error: `/readyz` shows it until it is up.
    static func open(
        cache: StoreChoice, sessions: StoreChoice, namespace: String, metrics: any MetricsFactory, logger: Logger
    ) async throws -> Stores {
        var clients = RedisClients(logger: logger)
        let cacheRedis = try await clients.client(for: cache, flag: "--cache")
        let sessionsRedis = try await clients.client(for: sessions, flag: "--sessions")
        let sessionStorage: any SessionStorage = sessionsRedis.map { RedisSessionStorage($0) } ?? MemorySessionStorage()
        let cache = Self.cache(on: cacheRedis, namespace: namespace, metrics: metrics, logger: logger)
        let sharedRedis = sessionsRedis ?? cacheRedis
        return Stores(
            cache: cache,
            sessions: Self.sessions(in: sessionStorage, logger: logger),
            throttle: sharedRedis.map { RedisLoginThrottle(redis: $0, keyPrefix: namespace) } ?? MemoryLoginThrottle(),
            analytics: (cacheRedis ?? sessionsRedis).map { RedisAnalytics(redis: $0, keyPrefix: namespace) } ?? MemoryAnalytics(),
            checks: [
                "cache": { try await cacheRedis?.ping() },
                "sessions": { try await sessionsRedis?.ping() },
            ],
            services: clients.all)
    }

    static func sessions(in storage: any SessionStorage, logger: Logger) -> Sessions<ProfileSession> {
        Sessions(storage: storage, policy: SessionPolicy(idle: .seconds(1800), absolute: .seconds(43_200)), logger: logger)
    }

    private static func cache(on redis: RedisClient?, namespace: String, metrics: any MetricsFactory, logger: Logger) -> Cache {
        var configuration = CacheConfiguration()
        configuration.metrics = metrics
        configuration.logger = logger
        guard let redis else { return Cache(store: MemoryStore(), namespace: namespace, configuration: configuration) }
        return Cache(store: RedisCacheStore(redis), namespace: namespace, configuration: configuration)
    }
}

/// One client per Redis URL, however many roles it has.
private struct RedisClients {
    let logger: Logger
    private var byURL: [String: RedisClient] = [:]

    init(logger: Logger) {
        self.logger = logger
    }

    var all: [any Service] { Array(self.byURL.values) }

    mutating func client(for choice: StoreChoice, flag: String) async throws -> RedisClient? {
        switch choice {
        case .memory:
            return nil
        case .redis(let url):
            if let client = self.byURL[url] { return client }
            let client = try self.make(url, flag: flag)
            self.byURL[url] = client
            try await self.greet(client, flag: flag)
            return client
        }
    }

    private func make(_ url: String, flag: String) throws -> RedisClient {
        var configuration = RedisConfiguration()
        configuration.clientName = "profile-service"
        // A page must not wait long for a cache that is down: it can come from the database.
        configuration.connectTimeout = .milliseconds(500)
        configuration.commandTimeout = .seconds(1)
        configuration.logger = self.logger
        do {
            return try RedisClient(url, configuration: configuration)
        } catch {
            throw StartError("\(flag): \(error.message); write redis://HOST:PORT/DATABASE")
        }
    }

    private func greet(_ client: RedisClient, flag: String) async throws {
        do {
            try await client.ping()
        } catch let error as RedisError where error.code == .authenticationFailed {
            throw StartError("\(flag): Redis at \(client.address) refuses the credentials; check user and password in the URL")
        } catch {
            self.logger.warning("\(flag): Redis at \(client.address) cannot be reached yet; waiting for it: \(error)")
        }
    }
}
