import ArgumentParser
import Harness

@main
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure ScaleKit beside what it is compared with, and report ratios.",
        subcommands: [MeasureCommand.self, ProxyServerCommand.self], defaultSubcommand: MeasureCommand.self)
}

struct MeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "measure", abstract: "Run the rows and print the table.")

    enum Subject: String, ExpressibleByArgument, CaseIterable {
        case memory, proxy, rabbitmq, redis
    }

    @Option(help: "Only these rows: memory, proxy, rabbitmq or redis.")
    var only: Subject?

    @Option(help: "How many counted rounds each row has.")
    var rounds = 7

    @Option(help: "Where the rows are written.")
    var output = "results.json"

    @Option(help: "The Redis to measure against, HOST:PORT.")
    var redis = "127.0.0.1:26379"

    @Option(help: "The RabbitMQ to measure against, with user and password.")
    var amqp = "amqp://guest:guest@127.0.0.1:26384/"

    @Option(help: "A Python with Celery, to measure beside; without it those rows are left out.")
    var python: String?

    func run() async throws {
        var report = Report()
        for subject in Subject.allCases where self.only == nil || self.only == subject {
            print("measuring \(subject.rawValue) …")
            do {
                switch subject {
                case .memory: report.comparisons += try await MemoryRow.measure(rounds: self.rounds)
                case .redis: report.comparisons += try await RedisRows.measure(rounds: self.rounds, server: self.redis)
                case .rabbitmq:
                    report.comparisons += try await RabbitMQRows.measure(rounds: self.rounds, url: self.amqp, python: self.python)
                case .proxy: report.comparisons += try await ProxyRow.measure(rounds: self.rounds)
                }
            } catch {
                report.notes.append("\(subject.rawValue) could not be measured: \(error)")
            }
        }
        print(report.text)
        try report.write(to: self.output)
        if !report.notes.isEmpty { throw ExitCode.failure }
    }
}
