import ArgumentParser
import Logging
import ProfileService

/// Looking after jobs: what waits, what failed, and what becomes of it.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Look after jobs: what waits, what has failed, and what becomes of it.",
        subcommands: [
            JobsListCommand.self, JobsShowCommand.self, JobsDeadLettersCommand.self, JobsRetryCommand.self, JobsPurgeCommand.self,
        ])
}

/// What each of them takes.
struct JobsOptions: ParsableArguments {
    @Option(help: "Where jobs wait, as the instances know it: sqlite:FILE, or amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST.")
    var queue: QueueChoice?

    @Option(help: "The queue's name there. Default: celery, which is the service's only one.")
    var name: String?

    func inspection(results: StoreChoice? = nil) throws -> QueueInspection {
        // One line for what cannot be done, and nothing beside it.
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        let environment = Environment()
        guard let queue = try self.queue ?? environment.value("queue") else {
            throw StartError("--queue: name the place in which the instances' jobs wait, as sqlite:FILE or amqp://HOST")
        }
        var inspection = QueueInspection(queue: queue)
        if let name { inspection.name = name }
        inspection.results = try environment.value(results, "results", default: inspection.results)
        return inspection
    }
}

struct JobsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "How many jobs the queue holds in which condition.",
        discussion:
            "A dash stands for what the broker does not tell: RabbitMQ neither counts jobs that wait for their time, nor those at work.")

    @OptionGroup var options: JobsOptions
    @Flag(help: "As JSON on one line.") var json = false

    func run() async throws {
        let report = try await self.options.inspection().counts()
        if self.json { return print(PlainText.json(["queues": [report]])) }
        func text(_ count: Int?) -> String { count.map { "\($0)" } ?? "-" }
        print(
            PlainText.table([
                ["QUEUE", "READY", "DELAYED", "RUNNING", "DEAD"],
                [report.name, text(report.ready), text(report.delayed), text(report.running), text(report.dead)],
            ]))
    }
}

struct JobsShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "A job's state, result, retries and failure.")

    @Argument(help: "The job's id.") var id: String
    @OptionGroup var options: JobsOptions
    @Option(help: "Where results of jobs on RabbitMQ are kept: redis://HOST:PORT/DATABASE.") var results: StoreChoice?
    @Flag(help: "As JSON on one line.") var json = false

    func run() async throws {
        let report = try await self.options.inspection(results: self.results).show(self.id)
        print(self.json ? report.json : report.text)
    }
}

struct JobsDeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Jobs that were taken out of circulation, oldest first, and why.")

    @OptionGroup var options: JobsOptions
    @Option(help: "How many at most, up to 10000.") var limit = 20
    @Flag(help: "As JSON on one line.") var json = false

    func run() async throws {
        let letters = try await self.options.inspection().deadLetters(limit: self.limit)
        if self.json { return print(PlainText.json(["dead_letters": letters])) }
        print(PlainText.table([["TIME", "ID", "TASK", "REASON"]] + letters.map { [$0.at, $0.id ?? "-", $0.task ?? "-", $0.reason] }))
    }
}

struct JobsRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Put dead letters back into their queue, as if just enqueued.",
        discussion: "Ids are looked for among the oldest ten thousand dead letters on RabbitMQ, and among all elsewhere.")

    @Argument(help: "Ids of jobs.") var ids: [String] = []
    @Flag(help: "All dead letters that there are.") var all = false
    @OptionGroup var options: JobsOptions

    func validate() throws {
        if self.ids.isEmpty != self.all { throw ValidationError("name ids of jobs, or --all") }
    }

    func run() async throws {
        let inspection = try self.options.inspection()
        let count = try await self.all ? inspection.retryAll() : inspection.retry(self.ids)
        print("\(count) put back")
    }
}

struct JobsPurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Remove all jobs that wait. What runs, and dead letters, stay.",
        discussion: "On RabbitMQ, jobs that wait for their time stay as well.")

    @OptionGroup var options: JobsOptions
    @Flag(help: "Do it; without this, only say how many there are.") var yes = false

    func run() async throws {
        print("\(try await self.options.inspection().purge(sure: self.yes)) removed")
    }
}
