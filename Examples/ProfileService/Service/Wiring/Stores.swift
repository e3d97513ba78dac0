import CacheKit
import CacheKitMemcached
import CacheKitRedis
import Logging
import Metrics
import ScaleCore
import ScaleRedis
import ServiceLifecycle
import SessionStore
import SessionStoreRedis

/// What the instances of a service share: the cache, the sessions, the counts of failed logins, the analytics, the news of changes.
struct Stores: Sendable {
    var cache: Cache
    var sessions: Sessions<ProfileSession>
    var throttle: any LoginThrottle
    let analytics: any Analytics
    var live: any LiveBus
    let checks: [String: Readiness.Check]
    var services: [any Service]

    /// Until when a change must be confirmed by the cache; after that its answer is 503.
    static let invalidationTimeLimit = Duration.seconds(2)
    static let sessionPolicy = SessionPolicy(idle: .seconds(1800), absolute: .seconds(43_200))

    /// As below, with Redis clients of its own, which it ends.
    static func open(
        cache: StoreChoice, sessions: StoreChoice, namespace: String, patience: Patience = Patience(), metrics: any MetricsFactory,
        logger: Logger
    ) async throws -> Stores {
        var clients = RedisClients(patience: patience, logger: logger)
        var stores = try await Self.open(
            cache: cache, sessions: sessions, namespace: namespace, clients: &clients, patience: patience, metrics: metrics, logger: logger)
        clients.warnOfUnreached()
        stores.services = clients.all + stores.services
        return stores
    }

    /// - Throws: `StartError` that names the flag for a URL that cannot be used or credentials that are refused. A server that is
    ///   down is no error: `/readyz` shows it until it is up.
    static func open(
        cache: StoreChoice, sessions: StoreChoice, namespace: String, clients: inout RedisClients, patience: Patience,
        metrics: any MetricsFactory, logger: Logger
    ) async throws -> Stores {
        if case .memcached = sessions {
            throw StartError("--sessions: Memcached forgets sessions when it is full or restarted; name redis://HOST:PORT/DATABASE")
        }
        let cacheRedis = try await clients.client(for: cache, flag: "--cache")
        let sessionsRedis = try await clients.client(for: sessions, flag: "--sessions")
        let sessionStorage: any SessionStorage = sessionsRedis.map { RedisSessionStorage($0) } ?? MemorySessionStorage()
        let memcached = try Self.memcached(for: cache, flag: "--cache", patience: patience)
        do {
            try await memcached?.ping()
        } catch {
            clients.willWait("--cache: \((error as? CacheError)?.message ?? "Memcached cannot be asked"); waiting for it")
        }
        let cacheStore: any CacheStore =
            if let cacheRedis { RedisCacheStore(cacheRedis) } else if let memcached { memcached } else { MemoryStore() }
        let sharedRedis = sessionsRedis ?? cacheRedis
        return Stores(
            cache: Self.cache(in: cacheStore, namespace: namespace, metrics: metrics, logger: logger),
            sessions: Self.sessions(in: sessionStorage, logger: logger),
            throttle: sharedRedis.map { RedisLoginThrottle(redis: $0, keyPrefix: namespace) } ?? MemoryLoginThrottle(),
            analytics: (cacheRedis ?? sessionsRedis).map { RedisAnalytics(redis: $0, keyPrefix: namespace) } ?? MemoryAnalytics(),
            live: sharedRedis.map { RedisLiveBus(redis: $0, namespace: namespace) } ?? MemoryLiveBus(),
            checks: [
                "cache": {
                    try await cacheRedis?.ping()
                    try await memcached?.ping()
                },
                "sessions": { try await sessionsRedis?.ping() },
            ],
            services: memcached.map { store in [AtShutdown { await store.shutdown() }] } ?? [])
    }

    /// The pool for a choice; nil for other kinds of stores.
    ///
    /// - Throws: `StartError` that names the flag.
    static func memcached(for choice: StoreChoice, flag: String, patience: Patience) throws -> MemcachedCacheStore? {
        guard case .memcached(let url) = choice else { return nil }
        var configuration = MemcachedConfiguration()
        // As with Redis: a page can come from the database.
        configuration.connectTimeout = patience.connection
        configuration.replyTimeout = patience.answer
        do {
            return try MemcachedCacheStore(url, configuration: configuration)
        } catch {
            let reason = (error as? ServiceURLError)?.message ?? (error as? CacheError)?.message ?? "cannot be used"
            throw StartError("\(flag): \(reason); write memcached://HOST:PORT,HOST:PORT")
        }
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

extension MemcachedCacheStore {
    /// Reads a few names, so many that each server of a pool of usual size has some of them.
    ///
    /// - Throws: `CacheError` when one of those servers does not answer.
    func ping() async throws {
        _ = try await self.read((0..<32).map { CacheKey(namespace: "readyz", name: "\($0)") }, epochs: [])
    }
}
