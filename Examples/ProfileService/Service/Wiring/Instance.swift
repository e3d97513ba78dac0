import Logging
import QueueKit

/// One instance with all its parts, ready to listen.
struct Instance: Sendable {
    let server: ProfileServer
    let notifier: CacheNotifier
    let publisher: LivePublisher
    let live: LiveFeed

    init(
        stores: Stores, database: ProfileDatabase, hasher: PasswordHasher, queue: JobQueue, metrics: PrometheusRegistry,
        trustedProxies: Set<String>, insecureCookies: Bool, audience: LiveAudience.Limits = .init(), patience: Patience = Patience(),
        logger: Logger
    ) {
        let list = ProfileListCache(cache: stores.cache, database: database)
        let publisher = LivePublisher(bus: stores.live, logger: logger)
        self.publisher = publisher
        self.live = LiveFeed(bus: stores.live, database: database, limits: audience, logger: logger)
        self.notifier = CacheNotifier(database: database, list: list, logger: logger) { publisher.announce($0) }
        var checks = stores.checks
        checks["database"] = { try await database.ping() }
        checks["queue"] = { _ = try await queue.counts() }
        self.server = ProfileServer(
            database: database, hasher: hasher, list: list, notifier: self.notifier, sessions: stores.sessions,
            throttle: stores.throttle, analytics: stores.analytics, queue: queue, live: self.live,
            readiness: Readiness(checks: checks, limit: patience.answer),
            metrics: metrics, addresses: ClientAddress(trustedProxies: trustedProxies), insecureCookies: insecureCookies)
    }
}
