import Metrics

/// The counters of one cache, each with the dimension `cache` = namespace.
///
/// `cache.hits` and `cache.misses` count lookups, `cache.loads` runs of a loader, `cache.joins` callers that waited for another's load,
/// `cache.errors` failures of the store; `cache.evictions` is counted by ``MemoryStore``.
struct CacheMetrics: Sendable {
    let hits: Counter
    let misses: Counter
    let loads: Counter
    let joins: Counter
    let errors: Counter

    init(namespace: String, factory: (any MetricsFactory)?) {
        self.hits = Self.counter("cache.hits", namespace: namespace, factory: factory)
        self.misses = Self.counter("cache.misses", namespace: namespace, factory: factory)
        self.loads = Self.counter("cache.loads", namespace: namespace, factory: factory)
        self.joins = Self.counter("cache.joins", namespace: namespace, factory: factory)
        self.errors = Self.counter("cache.errors", namespace: namespace, factory: factory)
    }

    static func counter(_ label: String, namespace: String, factory: (any MetricsFactory)?) -> Counter {
        let dimensions = [("cache", namespace)]
        guard let factory else { return Counter(label: label, dimensions: dimensions) }
        return Counter(label: label, dimensions: dimensions, factory: factory)
    }
}
