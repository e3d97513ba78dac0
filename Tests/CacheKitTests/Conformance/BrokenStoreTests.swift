import CacheKit
import CacheKitTesting
import ScaleTesting
import Testing

/// A suite that every store passes checks nothing.
@Suite struct BrokenStoreTests {
    @Test(arguments: BrokenStore.Break.allCases) func `a store that breaks one rule fails the conformance suite`(
        broken: BrokenStore.Break
    ) async throws {
        let time = ManualTime()
        let base = MemoryStore(limits: MemoryLimits(maximumCost: 500_000), time: time.source)
        let suite = CacheStoreConformance {
            BrokenStore(broken: broken, base: base)
        } passTime: {
            await time.advance(by: $0)
        }
        await #expect(throws: TestFailure.self) { try await suite.run() }
    }

    @Test func `a store that keeps no counters passes without them, and the report says so`() async throws {
        let time = ManualTime()
        let base = MemoryStore(time: time.source)
        let suite = CacheStoreConformance {
            LesserStore(base) { $0.counters = false }
        } passTime: {
            await time.advance(by: $0)
        }
        let report = try await suite.run()
        #expect(report.skipped["a counter counts, and keeps its life"] == "the store keeps no counters")
        #expect(report.passed.count + report.skipped.count == suite.checks.count)
    }
}
