import Foundation
import ScaleTesting
import SessionStoreTesting
import Testing

@testable import ProfileService

/// The session cookie, and what a logout means.
@Suite struct SessionRules {
    @Test func `without insecure cookies the cookie has the __Host- prefix and all attributes`() async throws {
        try await ServiceUnderTest.with(insecureCookies: false) { service async throws in
            let answer = try await service.request(
                "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#)
            let cookie = try #require(answer.header("set-cookie"))
            #expect(cookie.hasPrefix("__Host-session="))
            #expect(cookie.hasSuffix("; Path=/; Secure; HttpOnly; SameSite=Lax"))
            let sent = try #require(answer.cookie)
            #expect(try await service.request("GET", "/me", cookie: sent).status == 200)
        }
    }

    @Test func `insecure cookies drop the prefix and Secure, nothing else`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request(
                "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#)
            let cookie = try #require(answer.header("set-cookie"))
            #expect(cookie.hasPrefix("session="))
            #expect(cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
            #expect(!cookie.contains("Secure"))
        }
    }

    @Test func `insecure cookies are refused unless the address is loopback`() {
        for (address, isAllowed) in [
            ("127.0.0.1:0", true), ("localhost:0", true), ("[::1]:0", true), ("0.0.0.0:0", false), ("10.0.0.1:0", false),
        ] {
            var settings = ServeSettings()
            settings.insecureCookies = true
            settings.listen = ListenAddress(address) ?? settings.listen
            #expect(((try? settings.check()) != nil) == isAllowed, "\(address)")
        }
    }

    @Test func `reads never set the cookie`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            for path in ["/me", "/profiles", "/profiles/1", "/analytics", "/healthz", "/readyz", "/metrics"] {
                #expect(try await service.request("GET", path, cookie: cookie).header("set-cookie") == nil, "\(path)")
            }
        }
    }

    @Test func `an id chosen by the client is never adopted`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let chosen = "session=" + String(repeating: "A", count: 43)
            let answer = try await service.request(
                "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#, cookie: chosen)
            #expect(answer.cookie != nil && answer.cookie != chosen)
            #expect(try await service.request("GET", "/me", cookie: chosen).status == 401)
        }
    }

    @Test func `logout ends this session on every instance, and the user's other sessions stay`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let here = try await service.login(1, via: .direct)
            let elsewhere = try await service.login(1, via: .direct)
            let onSecond = try await service.request("POST", "/logout", cookie: here, onInstance: 1)
            #expect(onSecond.status == 204)
            for instance in 0..<2 {
                #expect(try await service.request("GET", "/me", cookie: here, onInstance: instance).status == 401)
                #expect(try await service.request("GET", "/me", cookie: elsewhere, onInstance: instance).status == 200)
            }
        }
    }

    /// request: is let in ── sends its body ──────────────── must not write
    /// user:                                  logs out
    @Test func `a write commits only if its session is alive just before the transaction`() async throws {
        let storage = FakeSessionStorage()
        try await ServiceUnderTest.with(on: .sessions(storage)) { service async throws in
            let cookie = try await service.login(1)
            let body = #"{"name":"Too late","bio":""}"#
            let answer = try await HTTPConversation.with(port: service.instancePorts[0]) { speaker in
                try await speaker.send(
                    "PUT /profiles/1 HTTP/1.1\r\nHost: a\r\nCookie: \(cookie)\r\nContent-Type: application/json\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n" + body.prefix(5))
                _ = try await storage.facts.first("the request's session is looked up") { $0.verb == .load }
                #expect(try await service.request("POST", "/logout", cookie: cookie).status == 204)
                try await speaker.send(String(body.dropFirst(5)))
                return try await speaker.answer()
            }
            #expect(answer.status == 401)
            #expect(try await service.request("GET", "/profiles/1").json()["name"] as? String == "User 1")
        }
    }

    /// request: is let in, its use is to be recorded ──────────── must not bring the session back
    /// user:                                           logs out
    @Test func `nothing in flight revives a session`() async throws {
        let storage = FakeSessionStorage()
        try await ServiceUnderTest.with(on: .sessions(storage)) { service async throws in
            let cookie = try await service.login(1)
            await storage.time.advance(by: .seconds(900))
            let recording = Gate("the record of the request's use")
            storage.faults.plan(.pause(at: recording)) { $0.verb == .touch }
            async let late = service.request("GET", "/me", cookie: cookie)
            try await recording.waitForArrivals()
            #expect(try await service.request("POST", "/logout", cookie: cookie).status == 204)
            recording.open()
            #expect(try await late.header("set-cookie") == nil)
            for instance in 0..<2 {
                #expect(try await service.request("GET", "/me", cookie: cookie, onInstance: instance).status == 401)
            }
            #expect(storage.count == 0)
        }
    }
}
