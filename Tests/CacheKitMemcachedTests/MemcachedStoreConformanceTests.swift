import CacheKit
import CacheKitMemcached
import CacheKitTesting
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.memcached != nil, "needs Memcached: make services-up"))
struct MemcachedStoreConformanceTests {
    /// The servers' clock cannot be moved. But all that the store's readers see of an end is in what it stored, by its own clock; the servers
    /// only drop later what is over anyway.
    @Test func `the Memcached store conforms`() async throws {
        let time = ManualTime(utc: presentSecond())
        let store = try MemcachedCacheStore(try #require(TestServers.memcached), configuration: .patient, time: time.source)
        let suite = CacheStoreConformance {
            store
        } passTime: {
            await time.advance(by: $0)
        }
        let report = try await suite.run()
        #expect(report.passed.count == suite.checks.count)
        #expect(report.skipped.isEmpty)
        await store.shutdown()
    }

    @Test func `one server alone conforms as well`() async throws {
        let time = ManualTime(utc: presentSecond())
        let first = try #require(TestServers.memcached?.split(separator: ",").first)
        let store = try MemcachedCacheStore(String(first), configuration: .patient, time: time.source)
        let suite = CacheStoreConformance {
            store
        } passTime: {
            await time.advance(by: $0)
        }
        #expect(try await suite.run().skipped.isEmpty)
        await store.shutdown()
    }
}

/// UTC in whole seconds, as the ends of counters have it.
func presentSecond() -> UTCTime {
    UTCTime(millisecondsSinceEpoch: TimeSource.system.utcNow().millisecondsSinceEpoch / 1000 * 1000)
}
