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
    var cache: Cache
    var sessions: Sessions<ProfileSession>
    let throttle: any LoginThrottle
    let analytics: any Analytics
    let checks: [String: Readiness.Check]
    let services: [any Service]

    /// Until when a change must be confirmed by the cache; after that its answer is 503.
    static let invalidationTimeLimit = Duration.seconds(2)
    static let sessionPolicy = SessionPolicy(idle: .seconds(1800), absolute: .seconds(43_200))

    /// - Throws: `StartError` that names the flag for a URL that cannot be used or credentials that are refused. A server that is
    ///   down is no error: `/readyz` shows it until it is up.
    static func open(
        cache: StoreChoice, sessions: StoreChoice, namespace: String, metrics: any MetricsFactory, logger: Logger
    ) async throws -> Stores {
        var clients = RedisClients(logger: logger)
        let cacheRedis = try await clients.client(for: cache, flag: "--cache")
        let sessionsRedis = try await clients.client(for: sessions, flag: "--sessions")
        clients.warnOfUnreached()
        let sessionStorage: any SessionStorage = sessionsRedis.map { RedisSessionStorage($0) } ?? MemorySessionStorage()
        let cacheStore: any CacheStore = cacheRedis.map { RedisCacheStore($0) } ?? MemoryStore()
        let sharedRedis = sessionsRedis ?? cacheRedis
        return Stores(
            cache: Self.cache(in: cacheStore, namespace: namespace, metrics: metrics, logger: logger),
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
        Sessions(storage: storage, policy: Self.sessionPolicy, logger: logger)
    }

    static func cache(
        in store: some CacheStore, namespace: String, time: TimeSource = .system, metrics: any MetricsFactory, logger: Logger
    ) -> Cache {
        var configuration = CacheConfiguration()
        configuration.time = time
        configuration.metrics = metrics
        configuration.logger = logger
        configuration.invalidationTimeLimit = Self.invalidationTimeLimit
        return Cache(store: store, namespace: namespace, configuration: configuration)
    }
}
