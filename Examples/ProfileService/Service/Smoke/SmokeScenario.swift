import AsyncHTTPClient
import Foundation
import NIOHTTP1

/// The scripted walk through a running service: what each kit is there for, seen from outside, with figures.
struct SmokeScenario: Sendable {
    let stage: any SmokeStage
    let client: HTTPClient
    /// Steps that only this stage has; played before the last one.
    var furtherSteps: [SmokeScript] = []
    /// Is told each step as it ends.
    let progress: @Sendable (SmokeReport.Step) -> Void

    private var proxy: SmokeClient { SmokeClient(client: self.client, base: self.stage.proxy) }

    /// Plays the steps in order; the first that fails ends it, and so does cancellation.
    func run() async -> SmokeReport {
        var report = SmokeReport()
        for step in self.steps {
            let outcome = await self.play(step)
            // It is the interruption that failed then, not the step.
            if Task.isCancelled { break }
            report.steps.append(outcome)
            self.progress(outcome)
            guard outcome.ok else { break }
        }
        return report
    }

    private var steps: [SmokeScript] {
        [
            SmokeScript(name: "everything is ready", kit: "all", body: self.ready),
            SmokeScript(name: "a list is a miss, then hits, then a miss after a change", kit: "CacheKit", body: self.missHitInvalidated),
            SmokeScript(name: "200 readers of a cold key cause one query", kit: "CacheKit", body: self.stampede),
            SmokeScript(name: "an empty list is a hit", kit: "CacheKit", body: self.emptyListIsHit),
            SmokeScript(name: "a job fails, is retried and succeeds", kit: "QueueKit", body: self.retriedJob),
            SmokeScript(name: "login on one instance, logout on the other", kit: "SessionStore", body: self.logoutElsewhere),
        ] + self.furtherSteps + [
            SmokeScript(name: "an instance stops under load without a failed request", kit: "BalancerKit", body: self.stopUnderLoad)
        ]
    }

    private func play(_ script: SmokeScript) async -> SmokeReport.Step {
        do {
            let (detail, figures) = try await script.body()
            return SmokeReport.Step(name: script.name, kit: script.kit, ok: true, detail: detail, figures: figures)
        } catch {
            return SmokeReport.Step(name: script.name, kit: script.kit, ok: false, detail: "\(error)", figures: [:])
        }
    }

    // MARK: Steps

    @Sendable private func ready() async throws -> (String, [String: Double]) {
        for base in self.stage.instances + [self.stage.empty, self.stage.proxy] {
            try await SmokeClient(client: self.client, base: base).ready()
        }
        return ("proxy, \(self.stage.instances.count) instances, database, cache, sessions and queue are up", [:])
    }

    @Sendable private func missHitInvalidated() async throws -> (String, [String: Double]) {
        let login = try await self.proxy.login(1)
        _ = try await self.rename(1, to: "Renamed once", login)
        let miss = try await self.list(expecting: "miss")
        var hits: [Double] = []
        for _ in 0..<50 { hits.append(try await self.list(expecting: "hit").milliseconds) }
        _ = try await self.rename(1, to: "Renamed twice", login)
        let invalidated = try await self.list(expecting: "miss")
        let profiles = try invalidated.decoded([Profile].self)
        guard profiles.first(where: { $0.id == 1 })?.name == "Renamed twice" else {
            throw SmokeFailure(description: "the list after the change shows an older name")
        }
        let hit = hits.sorted()[hits.count / 2]
        return (
            Self.text(
                "miss %.2f ms, hit %.2f ms (median of 50), after the change %.2f ms", miss.milliseconds, hit, invalidated.milliseconds),
            ["miss_ms": miss.milliseconds, "hit_ms": hit, "invalidated_ms": invalidated.milliseconds]
        )
    }

    @Sendable private func stampede() async throws -> (String, [String: Double]) {
        let login = try await self.proxy.login(2)
        _ = try await self.rename(2, to: "Cold again", login)
        let before = try await self.queries()
        let answers = try await withThrowingTaskGroup(of: SmokeClient.Answer.self) { group in
            for _ in 0..<200 { group.addTask { try await self.proxy.get("/profiles") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        guard answers.allSatisfy({ $0.status == 200 && $0.body == answers[0].body }) else {
            throw SmokeFailure(description: "not all of the 200 readers got the same list")
        }
        let queries = try await self.queries() - before
        guard queries == 1 else { throw SmokeFailure(description: "200 readers caused \(Int(queries)) queries") }
        let slowest = answers.map(\.milliseconds).max() ?? 0
        return (
            Self.text("200 readers, 1 query, the last answer after %.1f ms", slowest),
            ["readers": 200, "queries": queries, "slowest_ms": slowest]
        )
    }

    @Sendable private func emptyListIsHit() async throws -> (String, [String: Double]) {
        let empty = SmokeClient(client: self.client, base: self.stage.empty)
        _ = try await empty.get("/profiles")
        let second = try await empty.get("/profiles")
        guard second.body == Array("[]".utf8), second.headers.first(name: "x-cache") == "hit" else {
            throw SmokeFailure(description: "the second empty list was no hit")
        }
        return ("[] was served from the cache", ["profiles": 0])
    }

    @Sendable private func retriedJob() async throws -> (String, [String: Double]) {
        struct Status: Decodable {
            var state: String
            var result: String?
            var retries: Int
        }
        let login = try await self.proxy.login(3)
        let job = try await self.proxy.notify(3, cookie: login)
        let clock = ContinuousClock()
        let start = clock.now
        try await Polling.until("job \(job) succeeds", within: .seconds(60)) {
            try await self.proxy.get("/jobs/\(job)").decoded(Status.self).state == "SUCCESS"
        }
        let seconds = Double((start.duration(to: clock.now) / .milliseconds(1))) / 1000
        let status = try await self.proxy.get("/jobs/\(job)").decoded(Status.self)
        guard status.retries >= 1 else { throw SmokeFailure(description: "the job succeeded without the failure that it was to survive") }
        return (
            Self.text("SUCCESS after %.0f failure, in %.2f s", Double(status.retries), seconds),
            ["retries": Double(status.retries), "seconds": seconds]
        )
    }

    @Sendable private func logoutElsewhere() async throws -> (String, [String: Double]) {
        let first = SmokeClient(client: self.client, base: self.stage.instances[0])
        let second = SmokeClient(client: self.client, base: self.stage.instances[1])
        let cookie = try await first.login(4)
        guard try await second.get("/me", cookie: cookie).status == 200 else {
            throw SmokeFailure(description: "the other instance does not know the session")
        }
        guard try await second.post("/logout", cookie: cookie).status == 204 else { throw SmokeFailure(description: "logout was refused") }
        guard try await first.get("/me", cookie: cookie).status == 401 else {
            throw SmokeFailure(description: "the session outlived its logout on the other instance")
        }
        return ("a session begun on one instance was known on the other, and ended on both", [:])
    }

    @Sendable private func stopUnderLoad() async throws -> (String, [String: Double]) {
        let callers = 16
        let requestsEach = 100
        let stopAt = Countdown(callers * requestsEach / 3)
        let (failures, latencies) = try await withThrowingTaskGroup(of: (Int, [Double])?.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    var failures = 0
                    var latencies: [Double] = []
                    for request in 0..<requestsEach {
                        let answer = try? await self.proxy.get("/profiles/\(request % 10 + 1)")
                        if answer?.status != 200 { failures += 1 }
                        latencies.append(answer?.milliseconds ?? 0)
                        stopAt.count()
                    }
                    return (failures, latencies)
                }
            }
            group.addTask {
                await stopAt.reached()
                try await self.stage.stopFirstInstance()
                return nil
            }
            return try await group.reduce(into: (0, [Double]())) { total, part in
                total.0 += part?.0 ?? 0
                total.1 += part?.1 ?? []
            }
        }
        guard failures == 0 else { throw SmokeFailure(description: "\(failures) of \(latencies.count) requests failed") }
        let median = latencies.sorted()[latencies.count / 2]
        return (
            Self.text("%.0f requests, 0 failed, median %.2f ms", Double(latencies.count), median),
            ["requests": Double(latencies.count), "failed": 0, "median_ms": median]
        )
    }

    // MARK: What several steps do

    private func rename(_ user: Int, to name: String, _ cookie: String) async throws -> SmokeClient.Answer {
        let answer = try await self.proxy.put("/profiles/\(user)", ["name": name, "bio": ""], cookie: cookie)
        guard answer.status == 200 else { throw SmokeFailure(description: "the change of user \(user) was answered \(answer.status)") }
        return answer
    }

    private func list(expecting outcome: String) async throws -> SmokeClient.Answer {
        let answer = try await self.proxy.get("/profiles")
        guard answer.status == 200, answer.headers.first(name: "x-cache") == outcome else {
            throw SmokeFailure(description: "expected a \(outcome), got \(answer.status) \(answer.headers.first(name: "x-cache") ?? "")")
        }
        return answer
    }

    /// SELECTs of profiles so far, on all instances; instances of one process share a registry and are asked once.
    private func queries() async throws -> Double {
        var total = 0.0
        for base in self.stage.metricsAddresses {
            let text = String(decoding: try await SmokeClient(client: self.client, base: base).get("/metrics").body, as: UTF8.self)
            for line in text.split(separator: "\n") where line.hasPrefix("database_queries_total") {
                total += line.split(separator: " ").last.flatMap { Double($0) } ?? 0
            }
        }
        return total
    }

    private static func text(_ format: String, _ values: any CVarArg...) -> String {
        String(format: format, arguments: values)
    }
}
