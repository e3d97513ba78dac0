import Foundation
import PrivateServers
import ScaleTesting
import Testing

@testable import ProfileService

/// Two instances whose cache is on a Redis that goes away and comes back. The sessions are on another one.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct CacheDownRules {
    static let change = #"{"name":"Changed","bio":""}"#
    static let notToldYet = #"{"error":"stored, but caches could not be told yet"}"#

    /// A server that has what it was told also after it was stopped, so that the older list is there again.
    private static func durable() async throws -> PrivateRedis {
        try await PrivateRedis.running("--appendonly", "yes", "--appendfsync", "always")
    }

    @Test func `a PUT that the cache cannot be told of is 503 and stored, and is delivered when the cache is back`() async throws {
        let (cache, sessions) = (try await Self.durable(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            let cookie = try await service.login(1)
            _ = try await service.list()
            for instance in 0..<2 { #expect(try await service.list(onInstance: instance).outcome == "hit") }

            try await cache.stop()
            let answer = try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie, onInstance: 0)
            #expect(answer.status == 503)
            #expect(answer.text == Self.notToldYet)
            #expect(try await service.request("GET", "/profiles/1", onInstance: 1).json()["name"] as? String == "Changed")
            #expect(try await service.demo.database.newestPendingNotice() != nil)

            try await cache.start()
            try await eventually("the notice is delivered") { try await service.demo.database.newestPendingNotice() == nil }
            for instance in 0..<2 { #expect(try await service.list(onInstance: instance).profiles[0].name == "Changed") }
            try await eventually("the list is cached again") { try await service.list().outcome == "hit" }
        }
    }

    @Test func `what one process could not deliver the next one does`() async throws {
        let (cache, sessions) = (try await Self.durable(), try await PrivateRedis.running())
        let ground = Ground.redis(cache: cache.url, sessions: sessions.url)
        try await ScratchDirectory.with { scratch in
            let database = "\(scratch.path)/profiles.sqlite"
            try await ServiceUnderTest.with(on: ground, database: database) { service async throws in
                let cookie = try await service.login(1)
                _ = try await service.list()
                try await cache.stop()
                #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie).status == 503)
            }
            try await cache.start()
            try await ServiceUnderTest.with(on: ground, database: database) { service async throws in
                try await eventually("the notice is delivered") { try await service.demo.database.newestPendingNotice() == nil }
                #expect(try await service.list().profiles[0].name == "Changed")
            }
        }
    }

    @Test func `a sign-up that the cache cannot be told of is 503 as well, and the user can log in`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            try await cache.kill()
            let user = #""email":"new@example.com","password":"long enough""#
            let answer = try await service.request("POST", "/users", #"{\#(user),"name":"New"}"#)
            #expect(answer.status == 503)
            #expect(answer.text == Self.notToldYet)
            #expect(try await service.request("POST", "/login", "{\(user)}").status == 200)
        }
    }

    @Test func `with the cache down pages come from the database, and readyz says so until it is back`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            try await cache.kill()
            for _ in 0..<2 {
                let (profiles, outcome) = try await service.list()
                #expect(profiles.count == 3)
                #expect(outcome == "miss")
            }
            #expect(try await service.request("GET", "/profiles/1").status == 200)
            #expect(try await service.request("GET", "/me", cookie: try await service.login(1)).status == 200)
            let down = try await service.request("GET", "/readyz")
            #expect(down.status == 503)
            #expect(try down.json() == ["database": "up", "cache": "down", "sessions": "up", "queue": "up"] as NSDictionary)
            #expect(try await service.request("GET", "/healthz").status == 200)

            try await cache.start()
            for instance in 0..<2 {
                try await eventually("everything is ready") {
                    try await service.request("GET", "/readyz", onInstance: instance).status == 200
                }
            }
            try await eventually("the list is cached") { try await service.list().outcome == "hit" }
        }
    }

    /// A server that accepts connections and never answers is down as well.
    @Test func `a cache that does not answer is a cache that is down`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            let cookie = try await service.login(1)
            _ = try await service.list()
            cache.freeze()
            defer { cache.thaw() }
            let answer = try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie)
            #expect(answer.status == 503)
            #expect(answer.text == Self.notToldYet)
            #expect(try await service.list().profiles[0].name == "Changed")
            cache.thaw()
            try await eventually("the notice is delivered") { try await service.demo.database.newestPendingNotice() == nil }
            for instance in 0..<2 { #expect(try await service.list(onInstance: instance).profiles[0].name == "Changed") }
        }
    }
}
