import Foundation
import Logging
import PrivateServers
import Programs
import QueueKit
import QueueKitRabbitMQ
import ScaleTesting
import Testing

@testable import ProfileService

/// `profile-service jobs` on a queue of RabbitMQ's, run as operators run it; the results are on a Redis of the test's own.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["SCALEKIT_TEST_AMQP"] != nil && PrivateRedis.isInstalled,
        "needs RabbitMQ and Redis: make services-up"))
struct JobsOnRabbitMQRules {
    static let url = ProcessInfo.processInfo.environment["SCALEKIT_TEST_AMQP"]

    private struct Ground: Sendable {
        let name = "jobs-\(UUID().uuidString)"
        let url: String
        let results: String
        let queue: JobQueue

        static func with(_ body: @escaping @Sendable (Ground) async throws -> Void) async throws {
            let url = try #require(JobsOnRabbitMQRules.url)
            let server = try await PrivateRedis.running()
            let results = "redis://127.0.0.1:\(server.port)/0"
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            var clients = RedisClients(logger: logger)
            let jobs = try await Jobs.open(
                .rabbitMQ(url: url), results: try #require(StoreChoice(results)), clients: &clients, logger: logger)
            try await body(Ground(url: url, results: results, queue: jobs.queue))
            await (jobs.queue.broker as? RabbitMQBroker)?.shutdown()
            await clients.shutdown()
        }

        @discardableResult func enqueue(_ user: Int64, delay: Duration? = nil) async throws -> String {
            try await self.queue.notify(user, delay: delay, on: self.name)
        }

        func bury(_ user: Int64, _ reason: String) async throws -> String {
            try await self.queue.bury(user, reason, on: self.name)
        }

        func jobs(_ arguments: String...) async throws -> ProgramOutcome {
            try await ProfileServiceProgram.run(["jobs"] + arguments + ["--queue", self.url, "--name", self.name])
        }

        /// The line with counts, once it is what is expected: the server's own figures follow what happens.
        func list(_ expected: [String]) async throws {
            try await eventually(within: .seconds(90), "list says \(expected)") {
                let table = try await self.jobs("list")
                try #require(table.status == 0 && table.errors.isEmpty, "\(table.errors)")
                return table.output.split(separator: "\n").last?.split(separator: " ").dropFirst().map(String.init) == expected
            }
        }
    }

    /// What no operator is to see.
    private static let user: Int64 = 918_273_645

    @Test func `list counts what waits and what is dead, and has a dash for what RabbitMQ tells nobody`() async throws {
        try await Ground.with { ground in
            _ = try await ground.bury(Self.user, "broken")
            for user: Int64 in 2...4 { try await ground.enqueue(user) }
            try await ground.enqueue(5, delay: .seconds(3600))
            try await ground.list(["3", "-", "-", "1"])
            let json = try await ground.jobs("list", "--json")
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? NSDictionary
            let queue = try #require((object?["queues"] as? [NSDictionary])?.first)
            #expect(queue["ready"] as? Int == 3 && queue["dead"] as? Int == 1)
            #expect(queue["delayed"] as? Int == nil && queue["running"] as? Int == nil)
        }
    }

    @Test func `show reads the results on Redis, and names the flag that is missing`() async throws {
        try await Ground.with { ground in
            let id = try await ground.enqueue(1)
            let shown = try await ground.jobs("show", id, "--results", ground.results)
            #expect(shown.status == 0)
            #expect(shown.output.contains("state:    PENDING\n"), "\(shown.output)")
            let blind = try await ground.jobs("show", id)
            #expect(blind.status == 1)
            #expect(blind.errors.contains("--results"), "\(blind.errors)")
            let unknown = try await ground.jobs("show", "no-such-job", "--results", ground.results)
            #expect(unknown.status == 1)
            #expect(unknown.errors.hasPrefix("Error: no job "), "\(unknown.errors)")
        }
    }

    @Test func `dead-letters tells id, task, reason and time, and leaves them where they are`() async throws {
        try await Ground.with { ground in
            let first = try await ground.bury(Self.user, "first\nreason")
            let second = try await ground.bury(Self.user, "second reason")
            for _ in 0..<2 {
                let all = try await ground.jobs("dead-letters")
                #expect(all.status == 0)
                let lines = all.output.split(separator: "\n")
                try #require(lines.count == 3, "\(all.output) \(all.errors)")
                #expect(lines[1].contains(first) && lines[1].hasSuffix("first\u{FFFD}reason"), "\(all.output)")
                #expect(lines[2].contains(second) && lines[2].contains(SendEmailNotification.name))
                #expect(!all.output.contains("\(Self.user)"))
            }
            try await ground.list(["0", "-", "-", "2"])
        }
    }

    @Test func `retry puts back what it is told, and names what was not there`() async throws {
        try await Ground.with { ground in
            var ids: [String] = []
            for user: Int64 in 1...4 { ids.append(try await ground.bury(user, "broken")) }
            let some = try await ground.jobs("retry", ids[1], ids[3])
            #expect(some.output == "2 put back\n", "\(some.errors)")
            let missing = try await ground.jobs("retry", ids[1], ids[0], "nonsense")
            #expect(missing.status == 1)
            #expect(missing.errors == "Error: no dead letter of \(ids[1]), nonsense; 1 put back\n")
            try await ground.list(["3", "-", "-", "1"])
            #expect(try await ground.jobs("retry", "--all").output == "1 put back\n")
            #expect(try await ground.jobs("retry", "--all").output == "0 put back\n")
            try await ground.list(["4", "-", "-", "0"])
        }
    }

    @Test func `purge asks for --yes, says how many, and leaves what is dead and what waits for its time`() async throws {
        try await Ground.with { ground in
            _ = try await ground.bury(1, "broken")
            for user: Int64 in 2...3 { try await ground.enqueue(user) }
            try await ground.enqueue(4, delay: .seconds(3600))
            try await ground.list(["2", "-", "-", "1"])
            let asked = try await ground.jobs("purge")
            #expect(asked.status == 1)
            #expect(asked.errors == "Error: purge would remove 2 waiting jobs for ever; say --yes to do it\n")
            #expect(try await ground.jobs("purge", "--yes").output == "2 removed\n")
            try await ground.list(["0", "-", "-", "1"])
        }
    }
}
