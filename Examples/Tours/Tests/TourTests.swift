import ScaleTesting
import Testing
import Tours

/// The tours' output, since the README shows parts of them.
@Suite struct TourTests {
    private func lines(of tour: (@escaping @Sendable (String) -> Void) async throws -> Void) async throws -> [String] {
        let lines = RecordedFacts<String>()
        try await tour { lines.record($0) }
        return lines.all
    }

    @Test func `the cache tour loads, hits, and loads again after the invalidation`() async throws {
        #expect(try await self.lines(of: CacheTour.run) == ["loaded", "hit", "loaded", "2 reads of the database"])
    }

    @Test func `the queue tour's job returns its result`() async throws {
        #expect(try await self.lines(of: QueueTour.run) == ["sent to user 7", "SUCCESS"])
    }

    @Test func `the balancer tour goes to each endpoint in turn`() async throws {
        #expect(try await self.lines(of: BalancerTour.run) == ["10.0.0.1:8001", "10.0.0.2:8001", "10.0.0.1:8001"])
    }

    @Test func `the session tour ends with logout`() async throws {
        #expect(try await self.lines(of: SessionTour.run) == ["logout wins"])
    }
}
