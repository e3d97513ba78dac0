import Logging
import QueueKit

/// One instance with all its parts, ready to listen.
struct Instance: Sendable {
    let server: ProfileServer
    let notifier: CacheNotifier

    init(
        stores: Stores, database: ProfileDatabase, hasher: PasswordHasher, queue: JobQueue, metrics: PrometheusRegistry,
        trustedProxies: Set<String>, insecureCookies: Bool, logger: Logger
    ) {
        let list = ProfileListCache(cache: stores.cache, database: database)
        self.notifier = CacheNotifier(database: database, list: list, logger: logger)
        var checks = stores.checks
        checks["database"] = { try await database.ping() }
        checks["queue"] = { _ = try await queue.counts() }
        self.server = ProfileServer(
            database: database, hasher: hasher, list: list, notifier: self.notifier, sessions: stores.sessions,
            throttle: stores.throttle, analytics: stores.analytics, queue: queue, readiness: Readiness(checks: checks),
            metrics: metrics, addresses: ClientAddress(trustedProxies: trustedProxies), insecureCookies: insecureCookies)
    }
}
