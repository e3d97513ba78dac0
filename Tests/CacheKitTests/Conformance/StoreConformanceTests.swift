import CacheKit
import CacheKitTesting
import ScaleTesting
import Testing

@Suite struct StoreConformanceTests {
    @Test func `the memory store conforms`() async throws {
        let time = ManualTime()
        let suite = CacheStoreConformance {
            MemoryStore(limits: MemoryLimits(maximumCost: 500_000), time: time.source)
        } passTime: {
            await time.advance(by: $0)
        }
        let report = try await suite.run()
        #expect(report.passed.count == suite.checks.count)
        #expect(report.skipped.isEmpty)
    }

    @Test func `the fake conforms`() async throws {
        let fake = FakeCacheStore(limits: MemoryLimits(maximumCost: 500_000))
        let suite = CacheStoreConformance {
            fake
        } passTime: {
            await fake.time.advance(by: $0)
        }
        #expect(try await suite.run().skipped.isEmpty)
    }
}
