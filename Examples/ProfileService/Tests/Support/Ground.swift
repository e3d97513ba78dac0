import CacheKit
import Logging
import ScaleCore
import SessionStore

@testable import ProfileService

/// What the two instances of a service under test stand on.
enum Ground: Sendable {
    /// Embedded stores that both share.
    case embedded
    /// As embedded, with the sessions in this storage.
    case sessions(any SessionStorage)
    /// As embedded, with the cache in this store and on this time; each instance has a cache of its own on it, as on two machines.
    case cache(any CacheStore, TimeSource)
    /// As embedded, with news of changes on this bus.
    case live(any LiveBus)
    /// As embedded, with failed logins counted here.
    case throttle(any LoginThrottle)
    /// Redis servers by their URLs; each instance has clients of its own, as on two machines. They have the service's own patience, so that
    /// nobody waits long for one that is down.
    case redis(cache: String, sessions: String)
    /// As above, with servers that stay, and may be as slow as a busy machine makes them.
    case steadyRedis(cache: String, sessions: String)

    /// What the instances have.
    var patience: Patience {
        switch self {
        case .redis: Patience()
        default: .long
        }
    }

    func stores(metrics: PrometheusRegistry, logger: Logger) async throws -> [Stores] {
        var embedded = try await Stores.open(cache: .memory, sessions: .memory, namespace: "profiles", metrics: metrics, logger: logger)
        switch self {
        case .embedded:
            return [embedded]
        case .sessions(let storage):
            embedded.sessions = Stores.sessions(in: storage, logger: logger)
            return [embedded]
        case .live(let bus):
            embedded.live = bus
            return [embedded]
        case .throttle(let throttle):
            embedded.throttle = throttle
            return [embedded]
        case .cache(let store, let time):
            return (0..<2).map { _ in
                var stores = embedded
                stores.cache = Stores.cache(in: store, namespace: "profiles", time: time, metrics: metrics, logger: logger)
                return stores
            }
        case .redis(let cache, let sessions):
            return try await self.redis(cache, sessions, metrics: metrics, logger: logger)
        case .steadyRedis(let cache, let sessions):
            return try await self.redis(cache, sessions, metrics: metrics, logger: logger)
        }
    }

    private func redis(_ cache: String, _ sessions: String, metrics: PrometheusRegistry, logger: Logger) async throws -> [Stores] {
        var stores: [Stores] = []
        for _ in 0..<2 {
            stores.append(
                try await Stores.open(
                    cache: .redis(url: cache), sessions: .redis(url: sessions), namespace: "profiles", patience: self.patience,
                    metrics: metrics, logger: logger))
        }
        return stores
    }
}
