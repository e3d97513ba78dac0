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
        case memory, memcached, proxy, rabbitmq, redis, sqlite
    }

    @Option(help: "Only these rows: memory, memcached, proxy, rabbitmq, redis or sqlite.")
    var only: Subject?

    @Option(help: "How many counted rounds each row has.")
    var rounds = 7

    @Option(help: "Where the rows are written.")
    var output = "results.json"

    @Option(help: "The Redis to measure against, HOST:PORT.")
    var redis = "127.0.0.1:26379"

    @Option(help: "The three Memcached servers to measure against, HOST:PORT,HOST:PORT,HOST:PORT.")
    var memcached = "127.0.0.1:26381,127.0.0.1:26382,127.0.0.1:26383"

    @Option(help: "The RabbitMQ to measure against, with user and password.")
    var amqp = "amqp://guest:guest@127.0.0.1:26384/"

    @Option(help: "A Python with Celery and huey, to measure beside; without it those rows are left out.")
    var python: String?

    func run() async throws {
        var report = Report()
        for subject in Subject.allCases where self.only == nil || self.only == subject {
            print("measuring \(subject.rawValue) …")
            do {
                if try await !QuietMachine.wait() { print("(this machine has other work: the figures say little)") }
                switch subject {
                case .memory: report.comparisons += try await MemoryRow.measure(rounds: self.rounds)
                case .memcached:
                    report.comparisons += try await MemcachedRow.measure(rounds: self.rounds, servers: self.memcached)
                case .sqlite:
                    guard let python = self.python else { throw SQLiteRows.Failure(description: "--python is missing") }
                    report.comparisons += try await SQLiteRows.measure(rounds: self.rounds, python: python)
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
