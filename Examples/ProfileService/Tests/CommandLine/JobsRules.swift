import Foundation
import Logging
import Programs
import QueueKit
import ScaleCore
import Testing

@testable import ProfileService

/// `profile-service jobs` on a queue in a file, run as operators run it.
@Suite struct JobsRules {
    /// A queue in a file with jobs that wait, run, and are dead.
    private struct Ground: Sendable {
        let file: String
        let queue: JobQueue

        static func with(_ body: @escaping @Sendable (Ground) async throws -> Void) async throws {
            try await ScratchDirectory.with { scratch in
                let file = "\(scratch.path)/jobs.sqlite"
                let queue = try Jobs.embedded(
                    .sqlite(path: file), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await body(Ground(file: file, queue: queue))
            }
        }

        func jobs(_ arguments: String...) async throws -> ProgramOutcome {
            try await ProfileServiceProgram.run(["jobs"] + arguments + ["--queue", "sqlite:\(self.file)"])
        }
    }

    /// What no operator is to see.
    private static let user: Int64 = 918_273_645

    @Test func `list counts by condition, as a table and as JSON`() async throws {
        try await Ground.with { ground in
            _ = try await ground.queue.bury(Self.user, "broken")
            try await ground.queue.notify(1)
            _ = try await ground.queue.take()
            for user: Int64 in 2...4 { try await ground.queue.notify(user) }
            for user: Int64 in 5...6 { try await ground.queue.notify(user, delay: .seconds(3600)) }
            let table = try await ground.jobs("list")
            #expect(table.status == 0)
            #expect(table.errors.isEmpty)
            let rows = table.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(rows == [["QUEUE", "READY", "DELAYED", "RUNNING", "DEAD"], ["celery", "3", "2", "1", "1"]])
            let json = try await ground.jobs("list", "--json")
            #expect(json.output == #"{"queues":[{"dead":1,"delayed":2,"name":"celery","ready":3,"running":1}]}"# + "\n")
            let other = try await ground.jobs("list", "--name", "elsewhere")
            #expect(other.output.contains("elsewhere  0"))
        }
    }

    @Test func `show tells state, result, retries and failure, and of an unknown job one line and code 1`() async throws {
        try await Ground.with { ground in
            let id = try await ground.queue.notify(1)
            let waiting = try await ground.jobs("show", id)
            #expect(waiting.status == 0)
            #expect(waiting.output.contains("state:    PENDING\n"), "\(waiting.output)")
            #expect(waiting.output.contains("result:   null\n") || waiting.output.hasSuffix("result:   null\n"), "\(waiting.output)")
            var status = JobStatus(id: try #require(JobID(rawValue: id)), state: .retry)
            status.retries = 2
            status.failure = JobFailure("SMTPTemporaryError", "451 later\u{1B}[2J\nstate:    SUCCESS")
            try await ground.queue.results.record(status)
            let failing = try await ground.jobs("show", id)
            let lines = failing.output.split(separator: "\n")
            #expect(lines.count == 5, "\(failing.output)")
            #expect(lines.contains("retries:  2"))
            // What a job says of itself neither adds a line nor moves the cursor.
            #expect(lines.contains("failure:  SMTPTemporaryError: 451 later\u{FFFD}[2J\u{FFFD}state:    SUCCESS"))
            status = JobStatus(id: status.id, state: .success)
            status.result = "sent to user 1"
            status.finishedAt = UTCTime(millisecondsSinceEpoch: 0)
            try await ground.queue.results.record(status)
            let done = try await ground.jobs("show", id)
            #expect(done.output.contains("result:    \"sent to user 1\"\n"))
            #expect(done.output.contains("finished:  1970-01-01T00:00:00Z\n"))
            let json = try await ground.jobs("show", id, "--json")
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? NSDictionary
            #expect(object?["status"] as? String == "SUCCESS")
            #expect(object?["result"] as? String == "sent to user 1")
            for unknown in ["no-such-job", String(repeating: "x", count: 300), "a\nb"] {
                let outcome = try await ground.jobs("show", unknown)
                #expect(outcome.status == 1)
                #expect(outcome.output.isEmpty)
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
                #expect(outcome.errors.hasPrefix("Error: no job "), "\(outcome.errors)")
            }
        }
    }

    @Test func `dead-letters tells id, task, reason and time, oldest first, and never an argument`() async throws {
        try await Ground.with { ground in
            let first = try await ground.queue.bury(Self.user, "first\nreason")
            let second = try await ground.queue.bury(Self.user, "second reason")
            let all = try await ground.jobs("dead-letters")
            #expect(all.status == 0)
            let lines = all.output.split(separator: "\n")
            #expect(lines.count == 3, "\(all.output)")
            #expect(lines[1].contains(first) && lines[1].hasSuffix("first\u{FFFD}reason"), "\(all.output)")
            #expect(lines[2].contains(second) && lines[2].hasSuffix("second reason"))
            #expect(lines[1].contains(SendEmailNotification.name))
            let one = try await ground.jobs("dead-letters", "--limit", "1", "--json")
            struct Letters: Decodable { var dead_letters: [DeadLetterReport] }
            let letters = try JSONDecoder().decode(Letters.self, from: Data(one.output.utf8)).dead_letters
            #expect(letters.map(\.id) == [first])
            #expect(letters.map(\.reason) == ["first\nreason"])
            #expect(letters.first?.at.hasSuffix("Z") == true)
            for output in [all.output, one.output] { #expect(!output.contains("\(Self.user)")) }
            let none = try await ground.jobs("dead-letters", "--limit", "0")
            #expect(none.status == 1)
            #expect(none.errors.contains("--limit 0"))
        }
    }

    @Test func `retry puts back what it is told, and names what was not there`() async throws {
        try await Ground.with { ground in
            var ids: [String] = []
            for user: Int64 in 1...4 { ids.append(try await ground.queue.bury(user, "broken")) }
            let some = try await ground.jobs("retry", ids[1], ids[3])
            #expect(some.output == "2 put back\n")
            #expect(try await ground.queue.counts() == QueueCounts(ready: 2, dead: 2))
            let missing = try await ground.jobs("retry", ids[1], ids[0], "nonsense")
            #expect(missing.status == 1)
            #expect(missing.errors == "Error: no dead letter of \(ids[1]), nonsense; 1 put back\n")
            #expect(
                try await ground.queue.broker.deadLetters(of: "celery", limit: 5).compactMap { $0.message.headers["id"]?.stringValue }
                    == [ids[2]])
            let rest = try await ground.jobs("retry", "--all")
            #expect(rest.output == "1 put back\n")
            #expect(try await ground.jobs("retry", "--all").output == "0 put back\n")
            #expect(try await ground.queue.counts() == QueueCounts(ready: 4))
            for arguments in [[], [ids[0], "--all"]] {
                let outcome = try await ProfileServiceProgram.run(["jobs", "retry"] + arguments + ["--queue", "sqlite:\(ground.file)"])
                #expect(outcome.status == 64)
                #expect(outcome.errors.contains("name ids of jobs, or --all"))
            }
        }
    }

    @Test func `purge asks for --yes, says how many, and leaves what runs and what is dead`() async throws {
        try await Ground.with { ground in
            _ = try await ground.queue.bury(1, "broken")
            try await ground.queue.notify(2)
            _ = try await ground.queue.take()
            try await ground.queue.notify(3)
            try await ground.queue.notify(4, delay: .seconds(3600))
            let asked = try await ground.jobs("purge")
            #expect(asked.status == 1)
            #expect(asked.errors == "Error: purge would remove 2 waiting jobs for ever; say --yes to do it\n")
            #expect(try await ground.queue.counts() == QueueCounts(ready: 1, delayed: 1, leased: 1, dead: 1))
            #expect(try await ground.jobs("purge", "--yes").output == "2 removed\n")
            #expect(try await ground.queue.counts() == QueueCounts(leased: 1, dead: 1))
        }
    }

    @Test func `the place comes from the environment as well`() async throws {
        try await Ground.with { ground in
            try await ground.queue.notify(1)
            let outcome = try await ProfileServiceProgram.run(
                ["jobs", "list", "--json"], environment: ["PROFILE_SERVICE_QUEUE": "sqlite:\(ground.file)"])
            #expect(outcome.output.contains(#""ready":1"#))
        }
    }

    static let badPlaces: [(arguments: [String], names: String)] = [
        (["list"], "--queue"), (["list", "--queue", "memory"], "--queue memory"),
        (["list", "--queue", "sqlite:no-such-file.sqlite"], "sqlite:no-such-file.sqlite"),
        (["list", "--queue", "sqlite:/"], "--queue sqlite:/"),
        (["list", "--queue", "amqp://guest:sesame@127.0.0.1:1//"], "--queue"),
        (["purge", "--yes", "--queue", "amqp://guest:sesame@127.0.0.1:1//"], "--queue"),
        (["show", "a", "--queue", "amqp://guest:sesame@127.0.0.1:1//"], "--results"),
        (["show", "a", "--queue", "amqp://127.0.0.1:1//", "--results", "redis://:sesame@127.0.0.1:1/0"], "--results"),
        (["list", "--queue", "amqp://guest:sesame@127.0.0.1:port//"], "--queue"),
    ]

    @Test(arguments: badPlaces.indices) func `a place that cannot be used is one line, without a secret, and makes no file`(index: Int)
        async throws
    {
        let (arguments, name) = Self.badPlaces[index]
        let outcome = try await ProfileServiceProgram.run(["jobs"] + arguments)
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(name), "\(outcome.errors)")
        #expect(!outcome.errors.contains("sesame"))
        #expect(outcome.filesLeft == 0)
    }

    @Test func `every command has help`() async throws {
        for command in ["list", "show", "dead-letters", "retry", "purge"] {
            let outcome = try await ProfileServiceProgram.run(["jobs", command, "--help"])
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("--queue"))
        }
    }
}
