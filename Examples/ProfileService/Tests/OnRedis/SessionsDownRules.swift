import Foundation
import PrivateServers
import ScaleTesting
import Testing

@testable import ProfileService

/// Two instances whose sessions are on a Redis that goes away and comes back. The cache is on another one.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct SessionsDownRules {
    @Test func `with the session store down whatever needs a session is 503, and all else is served`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            let cookie = try await service.login(1)
            try await sessions.kill()
            let credentials = #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#
            for (method, path, body) in [
                ("GET", "/me", nil), ("PUT", "/profiles/1", #"{"name":"Unseen","bio":""}"#), ("POST", "/profiles/1/notifications", nil),
                ("POST", "/logout", nil), ("POST", "/login", credentials),
            ] as [(String, String, String?)] {
                let answer = try await service.request(method, path, body, cookie: cookie)
                #expect(answer.status == 503, "\(method) \(path)")
                #expect(answer.header("set-cookie") == nil, "\(method) \(path)")
            }
            // A cookie that nobody needs to look up changes nothing.
            for path in ["/profiles", "/profiles/1", "/analytics", "/healthz", "/metrics"] {
                #expect(try await service.request("GET", path, cookie: cookie).status == 200, "\(path)")
            }
            #expect(try await service.request("GET", "/jobs/none", cookie: cookie).status == 404)
            #expect(try await service.request("GET", "/me").status == 401)
            #expect(try await service.request("POST", "/logout").status == 204)
            #expect(
                try await service.request("POST", "/users", #"{"email":"new@example.com","password":"long enough","name":"New"}"#).status
                    == 201)
            #expect(try await service.list().profiles[0].name == "User 1")
        }
    }

    @Test func `readyz says that sessions are down, and up again when they are`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            let cookie = try await service.login(1)
            try await sessions.kill()
            let down = try await service.request("GET", "/readyz")
            #expect(down.status == 503)
            #expect(try down.json() == ["database": "up", "cache": "up", "sessions": "down", "queue": "up"] as NSDictionary)
            try await sessions.start()
            for instance in 0..<2 {
                try await eventually("everything is ready") {
                    try await service.request("GET", "/readyz", onInstance: instance).status == 200
                }
            }
            // The server came back empty: whom it does not know is not logged in, and can log in.
            #expect(try await service.request("GET", "/me", cookie: cookie).status == 401)
            _ = try await service.login(1)
        }
    }
}
