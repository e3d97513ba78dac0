import Foundation
import Metrics
import ScaleCore
import ScaleTesting
import Testing

@testable import ProfileService

/// Analytics, health, readiness and metrics.
@Suite struct OperationsRules {
    typealias Way = ServiceUnderTest.Way

    @Test func `a read of a profile counts as a view, HEAD and the list do not`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for _ in 0..<3 { _ = try await service.request("GET", "/profiles/2") }
            _ = try await service.request("GET", "/profiles/1", via: .direct)
            _ = try await service.request("HEAD", "/profiles/3")
            _ = try await service.request("GET", "/profiles/99")
            _ = try await service.request("GET", "/profiles")
            let report = try JSONDecoder().decode(AnalyticsReport.self, from: Data(try await service.request("GET", "/analytics").body))
            #expect(report.views == [.init(id: 2, views: 3), .init(id: 1, views: 1)])
            #expect(report.visitors == 1)
        }
    }

    @Test func `analytics has at most ten rows, most viewed first`() async throws {
        try await ServiceUnderTest.with(seed: 12) { service async throws in
            for id in 1...12 {
                for _ in 0..<(id == 5 ? 3 : 1) { _ = try await service.request("GET", "/profiles/\(id)") }
            }
            let report = try JSONDecoder().decode(AnalyticsReport.self, from: Data(try await service.request("GET", "/analytics").body))
            #expect(report.views.count == 10)
            #expect(report.views.first == .init(id: 5, views: 3))
        }
    }

    @Test func `a visitor is a client address, whatever a client claims`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for number in 1...5 {
                _ = try await service.request(
                    "GET", "/profiles/1", headers: ["X-Real-IP: 10.0.0.\(number)", "X-Forwarded-For: 10.0.0.\(number)"])
            }
            #expect(try await service.request("GET", "/analytics").json()["visitors"] as? Int == 1)
        }
    }

    @Test(arguments: Way.allCases) func `healthz is 200`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            #expect(try await service.request("GET", "/healthz", via: way).status == 200)
        }
    }

    @Test(arguments: Way.allCases) func `readyz names database, cache, sessions and queue`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request("GET", "/readyz", via: way)
            #expect(answer.status == 200)
            #expect(try answer.json() == ["database": "up", "cache": "up", "sessions": "up", "queue": "up"] as NSDictionary)
        }
    }

    @Test func `a part that is down is 503, also one that does not answer`() async throws {
        struct Down: Error {}
        let time = ManualTime()
        // Time stands still: nobody's limit passes.
        #expect(await Readiness(checks: ["up": {}, "down": { throw Down() }], time: time.source).states() == ["up": .up, "down": .down])
        let silent = Readiness(checks: ["silent": { try await Task.sleep(for: .seconds(3600)) }], time: time.source)
        async let states = silent.states()
        try await time.waitForSleepers(1)
        #expect(time.nextDeadline == time.now().advanced(by: .seconds(1)))
        await time.advance(by: .seconds(1))
        #expect(await states == ["silent": .down])
    }

    @Test func `one registry covers both instances of the demo`() async throws {
        try await ServiceUnderTest.with { service async throws in
            _ = try await service.list(onInstance: 0)
            for instance in 0..<2 {
                let text = try await service.request("GET", "/metrics", onInstance: instance).text
                #expect(text.contains("database_queries_total 1\n"))
            }
        }
    }

    @Test(arguments: Way.allCases) func `metrics are Prometheus text with loads and queries`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for _ in 0..<3 { _ = try await service.request("GET", "/profiles", via: way) }
            let answer = try await service.request("GET", "/metrics", via: way)
            #expect(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8")
            let lines = answer.text.split(separator: "\n")
            #expect(lines.contains("# TYPE cache_loads_total counter"))
            #expect(lines.contains { $0.hasPrefix("cache_loads_total") && $0.hasSuffix(" 1") })
            #expect(lines.contains("# TYPE database_queries_total counter"))
            #expect(lines.contains("database_queries_total 1"))
        }
    }

    @Test func `a gauge shows what was recorded last, a recorder the sum and count of all`() {
        let registry = PrometheusRegistry()
        let gauge = Gauge(label: "depth", factory: registry)
        let recorder = Recorder(label: "size", factory: registry)
        for value in [5, 3] {
            gauge.record(value)
            recorder.record(value)
        }
        let lines = registry.exposition().split(separator: "\n")
        #expect(lines == ["# TYPE depth gauge", "depth 3", "# TYPE size summary", "size_sum 8", "size_count 2"])
    }
}
