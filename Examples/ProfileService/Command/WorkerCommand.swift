import ArgumentParser
import ProfileService

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", abstract: "Run the jobs that the instances enqueue.")

    @Option(help: "Where jobs wait, as the instances know it: sqlite:FILE, or amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST.")
    var queue: QueueChoice?

    @Option(help: "Where results of jobs on RabbitMQ are kept: redis://HOST:PORT/DATABASE.")
    var results: StoreChoice?

    @Option(help: "How many jobs run at a time. Default: 8.")
    var concurrency: Int?

    @Flag(help: "For demonstrations: each mail is refused once, so that its job is retried.")
    var failFirstAttempts = false

    @OptionGroup var servers: PatienceOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let environment = Environment()
        let logger = try self.common.bootstrapLogging(environment)
        var settings = WorkerSettings()
        guard let queue = try self.queue ?? environment.value("queue") else {
            throw StartError("--queue: name the place in which the instances' jobs wait, as sqlite:FILE or amqp://HOST")
        }
        settings.queue = queue
        settings.results = try environment.value(self.results, "results", default: settings.results)
        settings.concurrency = try environment.value(self.concurrency, "concurrency", default: settings.concurrency)
        settings.failsFirstAttempts = try self.failFirstAttempts || environment.value("fail-first-attempts") ?? false
        settings.patience = try self.servers.patience(environment)
        try await settings.run(logger: logger)
    }
}
