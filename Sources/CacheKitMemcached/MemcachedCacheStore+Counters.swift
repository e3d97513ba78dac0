public import CacheKit
import ScaleCore

/// Counters: bare decimals, so that other programs can read them and `incr` them.
///
/// Memcached's own `incr` and `decr` know no negative numbers: one wraps at 2^64, the other stops at 0. So a counter is read, added
/// to here, and replaced by `cas` if nobody has written it meanwhile.
extension MemcachedCacheStore {
    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        let now = self.time.utcNow()
        return try await self.change(key) { found throws(CacheError) in
            let start: Int64
            var end = found.counterEnd
            switch found.entry {
            case .counter(let value):
                start = value
            case .record(let record) where !record.isEmpty:
                throw .valueUsedAsCounter(key: key.name)
            case .unreadable:
                throw .valueUsedAsCounter(key: key.name)
            case .absent, .record:
                guard let initial else { throw .missingCounter(key: key.name) }
                start = initial
                end = CounterEnd(of: life, at: now)
            }
            let (sum, overflow) = start.addingReportingOverflow(amount)
            guard !overflow else { throw .counterOverflow(key: key.name) }
            return .put(NewItem(counter: sum, until: end, at: now), sum)
        }
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        let now = self.time.utcNow()
        let name = WireName.of(key)
        let item = NewItem(counter: value, until: CounterEnd(of: life, at: now), at: now)
        try await self.writer(of: name).set(name, item, place: self.place(key))
    }
}
