import Foundation
import Testing

@testable import ProfileService

/// Sign-up, login, logout and `/me`.
@Suite struct AccountRules {
    typealias Way = ServiceUnderTest.Way

    @Test(arguments: Way.allCases) func `POST users is 201 with the id, whose profile it is`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request(
                "POST", "/users", #"{"email":"New@Example.com","password":"long enough","name":"New"}"#, via: way)
            #expect(answer.status == 201)
            let id = try #require(try answer.json()["id"] as? Int64)
            #expect(try answer.json().count == 1)
            let profile = try await service.request("GET", "/profiles/\(id)", via: way)
            #expect(try profile.json() == ["id": id, "name": "New", "email": "New@Example.com", "bio": ""] as NSDictionary)
        }
    }

    @Test func `an e-mail that is taken is 409, without regard to case`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let body = #"{"email":"USER1@example.COM","password":"long enough","name":"Twin"}"#
            #expect(try await service.request("POST", "/users", body).status == 409)
        }
    }

    @Test(arguments: Way.allCases) func `login is 200 with id and name and a session cookie`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request(
                "POST", "/login", #"{"email":"USER2@example.com","password":"\#(Seed.password)"}"#, via: way)
            #expect(answer.status == 200)
            #expect(try answer.json() == ["id": 2, "name": "User 2"] as NSDictionary)
            #expect(answer.headers.count { $0.name == "set-cookie" } == 1)
            #expect(answer.header("cache-control") == "no-store")
        }
    }

    @Test func `login gives a new id each time and the old one dies`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let first = try await service.login(1)
            let answer = try await service.request(
                "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#, cookie: first)
            let second = try #require(answer.cookie)
            #expect(first != second)
            #expect(try await service.request("GET", "/me", cookie: first).status == 401)
            #expect(try await service.request("GET", "/me", cookie: second).status == 200)
        }
    }

    @Test func `unknown account and wrong password get the same 401`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let wrong = try await service.request("POST", "/login", #"{"email":"\#(Seed.email(1))","password":"wrong"}"#)
            let unknown = try await service.request("POST", "/login", #"{"email":"nobody@example.com","password":"wrong"}"#)
            #expect(wrong.status == 401 && unknown.status == 401)
            #expect(wrong.body == unknown.body)
            #expect(wrong.cookie == nil && unknown.cookie == nil)
        }
    }

    @Test(arguments: Way.allCases) func `logout is 204 and clears the cookie, also without a session`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1, via: way)
            let answer = try await service.request("POST", "/logout", via: way, cookie: cookie)
            #expect(answer.status == 204)
            #expect(answer.header("set-cookie") == "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
            #expect(answer.header("content-length") == nil)
            #expect(try await service.request("GET", "/me", via: way, cookie: cookie).status == 401)
            #expect(try await service.request("POST", "/logout", via: way).status == 204)
        }
    }

    @Test(arguments: Way.allCases) func `GET me is the user of the session, and 401 without one`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            #expect(try await service.request("GET", "/me", via: way).status == 401)
            let cookie = try await service.login(3, via: way)
            let answer = try await service.request("GET", "/me", via: way, cookie: cookie)
            #expect(answer.status == 200)
            #expect(try answer.json() == ["id": 3, "name": "User 3", "email": Seed.email(3)] as NSDictionary)
            #expect(answer.header("set-cookie") == nil)
        }
    }

    @Test func `wrong JSON types at login are 422`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request("POST", "/login", #"{"email":1}"#)
            #expect(answer.status == 422)
            #expect(Set(try #require(try answer.json()["errors"] as? [String: String]).keys) == ["email", "password"])
        }
    }
}
