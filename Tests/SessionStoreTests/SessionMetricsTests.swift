import MetricsTestKit
import SessionStore
import SessionStoreTesting
import Testing

@Suite struct SessionMetricsTests {
    @Test func `loads by outcome, logins, renewals, logouts and conflicts are counted`() async throws {
        let metrics = TestMetrics()
        let storage = FakeSessionStorage()
        let sessions = Sessions<Profile>(storage: storage, metricsFactory: metrics)
        let session = try await sessions.create(Profile(user: "ada"))
        let damaged = try await sessions.create(Profile(user: "bob"))
        storage.damage(SessionKey(damaged.id))
        _ = try await sessions.load(session.id)
        _ = try await sessions.load(damaged.id)
        _ = try await sessions.load(damaged.id)
        try await sessions.update(session) { $0.visits = 1 }
        let rotated = try await sessions.rotate(session) { $0.user = "root" }
        try await sessions.end(rotated.id)
        try await sessions.end(rotated.id)

        // The rotation started from the state before the update, met a conflict, and loaded once more.
        #expect(try metrics.expectCounter("sessions.loads", [("outcome", "found")]).totalValue == 2)
        #expect(try metrics.expectCounter("sessions.loads", [("outcome", "absent")]).totalValue == 1)
        #expect(try metrics.expectCounter("sessions.loads", [("outcome", "discarded")]).totalValue == 1)
        #expect(try metrics.expectCounter("sessions.begun").totalValue == 2)
        #expect(try metrics.expectCounter("sessions.conflicts").totalValue == 1)
        #expect(try metrics.expectCounter("sessions.rotated").totalValue == 1)
        #expect(try metrics.expectCounter("sessions.ended").totalValue == 1)
    }
}
