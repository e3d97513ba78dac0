import Foundation
import ScaleTesting
import Testing

@testable import ProfileService

/// Notifications and what becomes of them.
@Suite struct JobRules {
    typealias Way = ServiceUnderTest.Way

    @Test(arguments: Way.allCases) func `a notification is 202 with its job, which is known at once and succeeds`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1, via: way)
            let accepted = try await service.request("POST", "/profiles/2/notifications", via: way, cookie: cookie)
            #expect(accepted.status == 202)
            let job = try #require(try accepted.json()["job"] as? String)
            let first = try await service.request("GET", "/jobs/\(job)", via: way)
            #expect(first.status == 200)
            let status = try first.json()
            #expect(Set(status.allKeys.compactMap { $0 as? String }) == ["state", "result", "retries"])
            #expect(["PENDING", "STARTED", "RETRY", "SUCCESS"].contains(status["state"] as? String))
            try await eventually("the job succeeds") {
                let status = try await service.request("GET", "/jobs/\(job)").json()
                let isDone = status["state"] as? String == "SUCCESS"
                // Present in every state, null until there is one.
                #expect(isDone || status["result"] is NSNull)
                return isDone
            }
            // The demo's mailer refuses each mail once.
            #expect(
                try await service.request("GET", "/jobs/\(job)").json()
                    == ["state": "SUCCESS", "result": "sent to user 2", "retries": 1] as NSDictionary)
        }
    }

    @Test(arguments: Way.allCases) func `an unknown job is 404`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for job in ["x", "00000000-0000-4000-8000-000000000000", String(repeating: "j", count: 300), "%00"] {
                #expect([404, 400].contains(try await service.request("GET", "/jobs/\(job)", via: way).status), "\(job)")
            }
        }
    }
}
