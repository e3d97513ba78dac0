import CacheKit
import CacheKitTesting
import Foundation
import ScaleCore
import ScaleTesting
import SessionStoreTesting
import Testing

@testable import ProfileService

/// Rules that would take minutes or hours to watch: proved on virtual time where that can be, and else by the values that are configured.
///
/// Examples/ProfileService/README.md lists them all, also those that are proved elsewhere.
@Suite struct TimeRules {
    @Test func `the list is cached under user_profiles for 300 s`() async throws {
        let store = FakeCacheStore()
        try await ServiceUnderTest.with(on: .cache(store, store.time.source)) { service async throws in
            #expect(try await service.list().outcome == "miss")
            #expect(store.facts.all.contains { $0.verb == .commit && $0.names == ["user_profiles"] })
            await store.time.advance(by: .seconds(299))
            #expect(try await service.list().outcome == "hit")
            await store.time.advance(by: .seconds(1))
            #expect(try await service.list().outcome == "miss")
            #expect(try await service.list().outcome == "hit")
        }
    }

    @Test func `an invalidation that is not confirmed within 2 s is answered 503, and is delivered later`() async throws {
        let store = FakeCacheStore()
        try await ServiceUnderTest.with(on: .cache(store, store.time.source)) { service async throws in
            let cookie = try await service.login(1)
            _ = try await service.list()
            let silence = Gate("the store's answer")
            store.faults.plan(.pause(at: silence), for: .invalidate)
            async let answer = service.request("PUT", "/profiles/1", #"{"name":"Late","bio":""}"#, cookie: cookie, onInstance: 0)
            try await silence.waitForArrivals()
            let deadline = store.time.now().advanced(by: Stores.invalidationTimeLimit)
            try await eventually("somebody waits for the limit") { store.time.nextDeadline == deadline }
            await store.time.advance(by: .seconds(2))
            #expect(try await answer.status == 503)
            silence.open()
            try await eventually("the notice is delivered") { try await service.demo.database.newestPendingNotice() == nil }
            for instance in 0..<2 { #expect(try await service.list(onInstance: instance).profiles[0].name == "Late") }
        }
    }

    /// first:   asks, has read the database ──────────────────────── stores
    /// second:                               asks, waits for the first
    @Test func `a request that joins a load says miss`() async throws {
        let store = FakeCacheStore()
        try await ServiceUnderTest.with(on: .cache(store, store.time.source)) { service async throws in
            let storing = Gate("the first one's commit")
            store.faults.plan(.pause(at: storing), for: .commit)
            async let first = service.list(onInstance: 0)
            try await storing.waitForArrivals()
            async let second = service.list(onInstance: 1)
            try await eventually("the second waits for the first one's lease") { store.facts.all.count { $0.verb == .begin } == 2 }
            storing.open()
            #expect(try await first.outcome == "miss")
            try await eventually("the second looks again") {
                await store.time.advance(by: .milliseconds(50))
                return store.facts.all.count { $0.verb == .read } >= 3
            }
            #expect(try await second.outcome == "miss")
            #expect(service.metrics.total(of: "database_queries_total") == 1)
            #expect(try await service.list(onInstance: 1).outcome == "hit")
        }
    }

    @Test func `a session ends 1800 s after its last use`() async throws {
        let storage = FakeSessionStorage()
        try await ServiceUnderTest.with(on: .sessions(storage)) { service async throws in
            let cookie = try await service.login(1)
            for _ in 0..<3 {
                await storage.time.advance(by: .seconds(1799))
                #expect(try await service.request("GET", "/me", cookie: cookie).status == 200)
            }
            await storage.time.advance(by: .seconds(1800))
            #expect(try await service.request("GET", "/me", cookie: cookie).status == 401)
        }
    }

    @Test func `a session ends 12 h after its login, however much it is used`() async throws {
        let storage = FakeSessionStorage()
        try await ServiceUnderTest.with(on: .sessions(storage)) { service async throws in
            let cookie = try await service.login(1)
            for _ in 0..<28 {
                await storage.time.advance(by: .seconds(1500))
                #expect(try await service.request("GET", "/me", cookie: cookie).status == 200)
            }
            await storage.time.advance(by: .seconds(43_200 - 28 * 1500))
            #expect(try await service.request("GET", "/me", cookie: cookie).status == 401)
        }
    }

    @Test func `the limits of a graceful end leave room within 10 s`() {
        #expect(ServiceRunner.graceLimit + ServiceRunner.cancellationLimit < .seconds(10))
        #expect(ProcessGroup.endLimit < .seconds(10))
        #expect(ServiceRunner.graceLimit + ServiceRunner.cancellationLimit < ProcessGroup.endLimit)
    }

    @Test func `a database without profiles is filled with 1000 unless told otherwise`() {
        #expect(DemoSettings().seed == 1000)
        #expect(ServeSettings().seed == 1000)
    }
}
