import AsyncHTTPClient
import Foundation
import Logging
import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleRedis

/// What the service has to stand: an instance and the worker are killed, and Redis stops for a while.
struct FaultScenario: Sendable {
    let stage: ProcessStage
    let client: HTTPClient
    let logger: Logger

    private var proxy: SmokeClient { SmokeClient(client: self.client, base: self.stage.proxy) }

    var steps: [SmokeScript] {
        [
            SmokeScript(name: "an instance is killed under load", kit: "BalancerKit", body: self.killInstance),
            SmokeScript(name: "the worker is killed in the middle of 1000 jobs", kit: "QueueKit", body: self.killWorker),
            SmokeScript(name: "Redis stops for 5 s", kit: "ScaleRedis", body: self.pauseRedis),
        ]
    }

    // MARK: An instance

    /// Users who get mail in this scenario only; those before belong to other steps.
    private static let firstRecipient = 11
    /// GETs in a second. Of a machine that does fewer the step has not shown what it is to show.
    private static let leastRate = 500.0

    /// No GET may fail whose answer has not begun. A POST that is under way may be answered 502, and is not executed twice.
    @Sendable private func killInstance() async throws -> (String, [String: Double]) {
        let cookie = try await self.proxy.login(5)
        let load = SmokeLoad(client: self.proxy, cookie: cookie, firstRecipient: Self.firstRecipient)
        let instance = try self.stage.processes.process(ProcessStage.firstInstance)
        let outcome = try await load.run(readers: 24, writers: 2) {
            try await load.hasBeenAnswered(1500)
            try await instance.crash()
            try await load.hasBeenAnswered(4500)
        }
        try self.stage.processes.startAgain(ProcessStage.firstInstance)
        guard outcome.failedReads.isEmpty else {
            throw SmokeFailure(
                description: "\(outcome.failedReads.count) of \(outcome.reads) GETs failed, the first by: \(outcome.failedReads[0])")
        }
        let others = outcome.writes.values.filter { $0 != 202 && $0 != 502 }
        guard others.isEmpty else { throw SmokeFailure(description: "POSTs were answered \(Set(others))") }
        // As many as the machine can do: nobody pauses between two.
        let rate = Double(outcome.reads) / outcome.seconds
        guard rate >= Self.leastRate else {
            throw SmokeFailure(description: "no more than \(Int(rate)) GETs/s were answered, and \(Int(Self.leastRate)) make the load")
        }
        try await self.eachMailOnce(outcome.writes)
        try await self.instancesAreReady()
        let (accepted, refused) = (outcome.writes.values.count { $0 == 202 }, outcome.writes.values.count { $0 == 502 })
        return (
            "\(outcome.reads) GETs at \(Int(rate))/s, 0 failed; \(accepted) POSTs accepted, \(refused) answered 502, none executed twice",
            [
                "gets": Double(outcome.reads), "gets_per_second": rate, "posts_accepted": Double(accepted), "posts_502": Double(refused),
                "cut_off": Double(outcome.cutOff),
            ]
        )
    }

    private func instancesAreReady() async throws {
        for instance in self.stage.instances { try await SmokeClient(client: self.client, base: instance).ready() }
    }

    /// Waits until all who were accepted have their mail, and sees that nobody has two.
    private func eachMailOnce(_ writes: [Int: Int]) async throws {
        let accepted = Set(writes.filter { $0.value == 202 }.keys)
        try await Polling.until("\(accepted.count) mails are sent", within: .seconds(120)) {
            accepted.isSubset(of: try self.mails().keys)
        }
        let twice = try self.mails().filter { writes[$0.key] != nil && $0.value > 1 }
        guard twice.isEmpty else { throw SmokeFailure(description: "\(twice.count) users got a mail twice") }
    }

    /// How many mails each user has got, by the worker's log.
    private func mails() throws -> [Int: Int] {
        try self.stage.processes.process(ProcessStage.worker).output.split(separator: "\n").reduce(into: [:]) { mails, line in
            guard line.contains("mail sent"), let user = line.firstMatch(of: /user=([0-9]+)/), let id = Int(user.1) else { return }
            mails[id, default: 0] += 1
        }
    }

    // MARK: The worker

    private static let jobs = 1000
    private static let firstOfJobs = 1_000_001

    @Sendable private func killWorker() async throws -> (String, [String: Double]) {
        return try await self.stage.withQueue(logger: self.logger) { queue in
            let clock = ContinuousClock()
            let start = clock.now
            let ids = try await self.enqueue(on: queue)
            let recipients = Set(Self.firstOfJobs..<Self.firstOfJobs + Self.jobs)
            try await Polling.until("a third of the jobs is done", within: .seconds(120)) {
                recipients.intersection(try self.mails().keys).count > Self.jobs / 3
            }
            try await self.stage.processes.process(ProcessStage.worker).crash()
            let doneBefore = recipients.intersection(try self.mails().keys).count
            try self.stage.processes.startAgain(ProcessStage.worker)
            try await Polling.until("all of the jobs are done", within: .seconds(300)) {
                recipients.isSubset(of: try self.mails().keys)
            }
            for id in ids {
                try await Polling.until("job \(id) is known to have succeeded", within: .seconds(60)) {
                    try await queue.status(of: id)?.state == .success
                }
            }
            let again = try self.mails().filter { recipients.contains($0.key) }.values.reduce(0) { $0 + $1 - 1 }
            let seconds = start.duration(to: clock.now) / .seconds(1)
            return (
                String(format: "killed after %d, all %d done after %.1f s, %d of them twice", doneBefore, Self.jobs, seconds, again),
                ["jobs": Double(Self.jobs), "done_before": Double(doneBefore), "twice": Double(again), "seconds": seconds]
            )
        }
    }

    private func enqueue(on queue: JobQueue) async throws -> [JobID] {
        try await withThrowingTaskGroup(of: [JobID].self) { group in
            let share = Self.jobs / 20
            for first in stride(from: Self.firstOfJobs, to: Self.firstOfJobs + Self.jobs, by: share) {
                group.addTask {
                    var ids: [JobID] = []
                    for user in first..<first + share { ids.append(try await queue.enqueue(SendEmailNotification(userID: Int64(user))).id) }
                    return ids
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    // MARK: Redis

    private static let pause = 5000
    /// A command may take 1 s (``Patience``), and no request has more than two that wait for each other.
    private static let budget = 2500.0

    /// Pages keep coming; what needs a session is answered 503 at the latest when its time is over.
    @Sendable private func pauseRedis() async throws -> (String, [String: Double]) {
        try await self.stage.startInstancesWithUsualPatience()
        try await self.instancesAreReady()
        let cookie = try await self.proxy.login(6)
        let redis = try RedisClient(self.stage.servers.redis)
        let clock = ContinuousClock()
        // From before the pause: until then Redis has not gone on.
        let end = clock.now.advanced(by: .milliseconds(Self.pause))
        _ = try await redis.send(RedisCommand("CLIENT", ["PAUSE", .init("\(Self.pause)"), "ALL"]))
        let answers = try await withThrowingTaskGroup(of: [(path: String, status: Int, milliseconds: Double)].self) { group in
            for path in ["/profiles", "/profiles/7", "/profiles/8", "/me", "/healthz"] {
                group.addTask {
                    var answers: [(String, Int, Double)] = []
                    while clock.now < end {
                        let answer = try await self.proxy.get(path, cookie: cookie)
                        answers.append((path, answer.status, answer.milliseconds))
                    }
                    return answers
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        await redis.shutdown()
        for answer in answers where answer.status != 200 && !(answer.path == "/me" && answer.status == 503) {
            throw SmokeFailure(description: "\(answer.path) was answered \(answer.status) while Redis stood still")
        }
        let slowest = answers.map(\.milliseconds).max() ?? 0
        guard slowest <= Self.budget else { throw SmokeFailure(description: "an answer took \(Int(slowest)) ms") }
        try await Polling.until("sessions are back", within: .seconds(60)) {
            try await self.proxy.get("/me", cookie: cookie).status == 200
        }
        let pages = answers.count { $0.path.hasPrefix("/profiles") }
        return (
            String(format: "%d pages meanwhile, all 200, the slowest of %d answers after %.0f ms", pages, answers.count, slowest),
            ["pages": Double(pages), "answers": Double(answers.count), "slowest_ms": slowest]
        )
    }
}
