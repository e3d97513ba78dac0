import Foundation
import ScaleCore
import ScaleTesting
import Testing

@testable import ProfileService

/// How failed logins slow an account down.
@Suite struct ThrottleRules {
    /// Ten scrypts may take a busy machine the minute after which the first failure counts no more: time stands still.
    private static var still: Ground { .throttle(MemoryLoginThrottle(time: ManualTime().source)) }

    @Test func `after 10 failures every login to that account is 429 with Retry-After, the right password too`() async throws {
        try await ServiceUnderTest.with(on: Self.still) { service async throws in
            for attempt in 0..<10 {
                // Neither the case of the address nor a header makes it another account or client.
                let email = attempt % 2 == 0 ? Seed.email(1) : Seed.email(1).uppercased()
                let answer = try await service.request(
                    "POST", "/login", #"{"email":"\#(email)","password":"wrong"}"#, headers: ["X-Forwarded-For: 10.0.0.\(attempt)"])
                #expect(answer.status == 401)
            }
            let refused = try await service.request("POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#)
            #expect(refused.status == 429)
            #expect((1...60).contains(try #require(refused.header("retry-after").flatMap { Int($0) })))
            #expect(refused.cookie == nil)
            // Counted for both instances, and for this account only.
            #expect(
                try await service.request(
                    "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#, onInstance: 1
                ).status == 429)
            _ = try await service.login(2)
        }
    }

    @Test func `ten logins that fail at the same time are all counted`() async throws {
        try await ServiceUnderTest.with(on: Self.still) { service async throws in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await service.request("POST", "/login", #"{"email":"\#(Seed.email(1))","password":"wrong"}"#).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 401 } == 10)
            #expect(statuses.count { $0 == 429 } == 10)
        }
    }

    @Test func `logins that succeed are not counted`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for _ in 0..<12 { _ = try await service.login(1) }
        }
    }

    @Test func `two accounts whose names only look alike are counted apart, as the database has them`() async throws {
        try await ServiceUnderTest.with(on: Self.still) { service async throws in
            let addresses = ["caf\u{E9}@example.com", "cafe\u{301}@example.com"]
            for email in addresses {
                let body = #"{"email":"\#(email)","password":"long enough","name":"N"}"#
                #expect(try await service.request("POST", "/users", body).status == 201)
            }
            for _ in 0..<10 {
                let body = #"{"email":"\#(addresses[0])","password":"wrong"}"#
                #expect(try await service.request("POST", "/login", body).status == 401)
            }
            for (email, status) in zip(addresses, [429, 200]) {
                let body = #"{"email":"\#(email)","password":"long enough"}"#
                #expect(try await service.request("POST", "/login", body).status == status)
            }
        }
    }

    @Test func `the account is free again when the oldest failure is a minute old`() async throws {
        let time = ManualTime()
        let throttle = MemoryLoginThrottle(time: time.source)
        for _ in 0..<10 {
            #expect(try await throttle.refusal(of: "a") == nil)
            #expect(try await throttle.recordFailure(of: "a") == nil)
            await time.advance(by: .seconds(1))
        }
        #expect(try await throttle.refusal(of: "a") == .seconds(50))
        #expect(try await throttle.recordFailure(of: "a") == .seconds(50))
        #expect(try await throttle.refusal(of: "b") == nil)
        await time.advance(by: .seconds(50))
        #expect(try await throttle.refusal(of: "a") == nil)
        #expect(try await throttle.recordFailure(of: "a") == nil)
        #expect(try await throttle.refusal(of: "a") == .seconds(1))
    }
}
