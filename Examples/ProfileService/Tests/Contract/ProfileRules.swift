import Foundation
import Testing

@testable import ProfileService

/// Reading and changing profiles, the list's cache, and ids in paths.
@Suite struct ProfileRules {
    typealias Way = ServiceUnderTest.Way

    @Test(arguments: Way.allCases) func `GET profiles is an array of profiles, a miss and then a hit`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let first = try await service.request("GET", "/profiles", via: way)
            let second = try await service.request("GET", "/profiles", via: way)
            #expect(first.status == 200 && second.status == 200)
            #expect(first.header("x-cache") == "miss")
            #expect(second.header("x-cache") == "hit")
            #expect(first.body == second.body)
            let rows = try #require(try JSONSerialization.jsonObject(with: Data(first.body)) as? [NSDictionary])
            #expect(rows.count == 3)
            #expect(
                rows[0] == ["id": 1, "name": "User 1", "email": Seed.email(1), "bio": "Biography of user 1"] as NSDictionary)
        }
    }

    @Test func `an empty list is a hit the second time`() async throws {
        try await ServiceUnderTest.with(seed: 0) { service async throws in
            #expect(try await service.request("GET", "/profiles").header("x-cache") == "miss")
            let second = try await service.request("GET", "/profiles")
            #expect(second.header("x-cache") == "hit")
            #expect(second.text == "[]")
        }
    }

    @Test func `readers of a cold list cause one query, and those that join say miss`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let answers = try await withThrowingTaskGroup(of: ServiceUnderTest.Answer.self) { group in
                for _ in 0..<50 { group.addTask { try await service.request("GET", "/profiles") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(service.metrics.total(of: "cache_loads_total") == 1)
            #expect(service.metrics.total(of: "database_queries_total") == 1)
            #expect(answers.contains { $0.header("x-cache") == "miss" })
        }
    }

    @Test(arguments: Way.allCases) func `GET of one profile is that object and no other field, or 404`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request("GET", "/profiles/2", via: way)
            #expect(answer.status == 200)
            #expect(
                try answer.json() == ["id": 2, "name": "User 2", "email": Seed.email(2), "bio": "Biography of user 2"] as NSDictionary)
            #expect(try await service.request("GET", "/profiles/4", via: way).status == 404)
            #expect(try await service.request("GET", "/profiles/9223372036854775807", via: way).status == 404)
        }
    }

    static let badIDs = [
        "0", "01", "+1", "-1", "1.0", "1e3", "x", "1x", "%31", "%201", "9223372036854775808", "99999999999999999999", "١", "1%2F2", "0x1",
    ]

    @Test(arguments: Way.allCases) func `an id in a path is plain decimal digits, or 400`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            for id in Self.badIDs {
                #expect(try await service.request("GET", "/profiles/\(id)", via: way).status == 400, "\(id)")
                #expect(try await service.request("PUT", "/profiles/\(id)", "{}", via: way, cookie: cookie).status == 400, "\(id)")
                #expect(try await service.request("POST", "/profiles/\(id)/notifications", via: way, cookie: cookie).status == 400, "\(id)")
            }
        }
    }

    @Test(arguments: Way.allCases) func `PUT answers the profile as stored`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1, via: way)
            let answer = try await service.request("PUT", "/profiles/1", #"{"name":"Ada","bio":"new"}"#, via: way, cookie: cookie)
            #expect(answer.status == 200)
            #expect(try answer.json() == ["id": 1, "name": "Ada", "email": Seed.email(1), "bio": "new"] as NSDictionary)
            #expect(try await service.request("GET", "/profiles/1", via: way).body == answer.body)
        }
    }

    @Test(arguments: Way.allCases) func `PUT is 401 without a session and 403 for somebody else's profile`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let body = #"{"name":"Eve","bio":""}"#
            #expect(try await service.request("PUT", "/profiles/1", body, via: way).status == 401)
            let cookie = try await service.login(2, via: way)
            #expect(try await service.request("PUT", "/profiles/1", body, via: way, cookie: cookie).status == 403)
            #expect(try await service.request("GET", "/profiles/1", via: way).json()["name"] as? String == "User 1")
        }
    }

    @Test func `PUT and POST users invalidate the list, a refused write does not`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            func outcome() async throws -> String? { try await service.request("GET", "/profiles").header("x-cache") }
            _ = try await outcome()
            #expect(try await outcome() == "hit")
            _ = try await service.request("PUT", "/profiles/1", #"{"name":"","bio":""}"#, cookie: cookie)
            _ = try await service.request("PUT", "/profiles/2", #"{"name":"N","bio":""}"#, cookie: cookie)
            _ = try await service.request("POST", "/users", #"{"email":"\#(Seed.email(1))","password":"long enough","name":"N"}"#)
            #expect(try await outcome() == "hit")
            _ = try await service.request("PUT", "/profiles/1", #"{"name":"N","bio":""}"#, cookie: cookie)
            #expect(try await outcome() == "miss")
            #expect(try await outcome() == "hit")
            _ = try await service.request("POST", "/users", #"{"email":"n@n","password":"long enough","name":"N"}"#)
            #expect(try await outcome() == "miss")
        }
    }

    @Test func `after the answer to a PUT no request on any instance gets the older profile or list`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            for round in 0..<20 {
                let name = "Round \(round)"
                #expect(
                    try await service.request("PUT", "/profiles/1", #"{"name":"\#(name)","bio":""}"#, cookie: cookie, onInstance: round % 2)
                        .status == 200)
                for instance in 0..<2 {
                    let list = try await service.request("GET", "/profiles", onInstance: instance)
                    #expect(try JSONDecoder().decode([Profile].self, from: Data(list.body))[0].name == name)
                    #expect(try await service.request("GET", "/profiles/1", onInstance: instance).json()["name"] as? String == name)
                }
            }
        }
    }
}
