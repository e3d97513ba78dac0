import Foundation
import InMemoryLogging
import Logging
import ScaleTesting
import SessionStoreTesting
import Testing

@testable import ProfileService

/// What the logs of instances, worker and proxy may not tell, at the most talkative level.
@Suite struct LogRules {
    @Test func `no log line holds a password, a cookie, a session id or a body`() async throws {
        var handler = InMemoryLogHandler()
        handler.logLevel = .trace
        let storage = FakeSessionStorage()
        let secrets = try await ServiceUnderTest.with(on: .sessions(storage), logHandler: handler) { service async throws -> [String] in
            var secrets = ["a wrong secret", "a new secret", "from-elsewhere", "query-secret", "a secret biography", Seed.password]
            for way in ServiceUnderTest.Way.allCases {
                let cookie = try await service.login(1, via: way)
                secrets.append(String(cookie.drop { $0 != "=" }.dropFirst()))
                secrets.append(cookie)
                let requests: [(String, String, String?)] = [
                    ("POST", "/login", #"{"email":"\#(Seed.email(1))","password":"a wrong secret"}"#),
                    ("POST", "/login", #"{"email":"\#(Seed.email(1))","password":"a wrong secret""#),
                    ("POST", "/users", #"{"email":"new-\#(way)@example.com","password":"a new secret","name":"New"}"#),
                    ("POST", "/users", #"{"email":"new-\#(way)@example.com","password":"a new secret","name":"Twice"}"#),
                    ("GET", "/me?token=query-secret", nil), ("PUT", "/profiles/1", #"{"name":"N","bio":"a secret biography"}"#),
                    ("PUT", "/profiles/2", "{}"), ("POST", "/profiles/1/notifications", nil), ("GET", "/profiles/0", nil),
                ]
                for (method, path, body) in requests {
                    _ = try await service.request(method, path, body, via: way, cookie: cookie, headers: ["Authorization: from-elsewhere"])
                }
                // The store fails, and is then found with something that it did not get from here.
                storage.faults.failNext(with: FakeSessionStorage.unavailable)
                #expect(try await service.request("GET", "/me", via: way, cookie: cookie).status == 503)
                for fact in storage.facts.all { storage.damage(fact.call.key) }
                #expect(try await service.request("GET", "/me", via: way, cookie: cookie).status == 401)
                _ = try await service.request("POST", "/logout", via: way, cookie: cookie)
            }
            // An instance goes away under the proxy, which has to say so.
            try await service.demo.stopFirstInstance()
            for _ in 0..<4 { _ = try await service.request("GET", "/me", cookie: "session=from-elsewhere") }
            return secrets
        }
        let lines = handler.entries.map { "\($0.level) \($0.message) \($0.metadata) \($0.error.map { "\($0)" } ?? "")" }
        // That the service did log what happened is what makes the rest worth anything.
        #expect(lines.contains { $0.contains("sessions") })
        #expect(lines.contains { $0.contains("POST") && $0.contains("/login") && $0.contains("401") })
        for secret in secrets {
            #expect(!lines.contains { $0.contains(secret) }, "\(lines.first { $0.contains(secret) } ?? "")")
        }
    }
}
