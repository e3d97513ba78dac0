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
    /// Redis servers by their URLs; each instance has clients of its own, as on two machines.
    case redis(cache: String, sessions: String)

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
        case .cache(let store, let time):
            return (0..<2).map { _ in
                var stores = embedded
                stores.cache = Stores.cache(in: store, namespace: "profiles", time: time, metrics: metrics, logger: logger)
                return stores
            }
        case .redis(let cache, let sessions):
            var stores: [Stores] = []
            for _ in 0..<2 {
                stores.append(
                    try await Stores.open(
                        cache: .redis(url: cache), sessions: .redis(url: sessions), namespace: "profiles", metrics: metrics, logger: logger)
                )
            }
            return stores
        }
    }
}
