import Metrics
import ScaleCore

/// `cache.evictions`, one counter per namespace.
final class EvictionCounters: Sendable {
    private let factory: (any MetricsFactory)?
    private let counters = Locked<[Int32: Counter]>([:])

    init(factory: (any MetricsFactory)?) {
        self.factory = factory
    }

    func register(_ space: Int32, namespace: String) {
        let counter = CacheMetrics.counter("cache.evictions", namespace: namespace, factory: self.factory)
        self.counters.withLock { $0[space] = $0[space] ?? counter }
    }

    func count(_ spaces: [Int32]) {
        let counters = self.counters.withLock { counters in spaces.compactMap { counters[$0] } }
        counters.forEach { $0.increment() }
    }
}
