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
        case memory, proxy, redis
    }

    @Option(help: "Only these rows: memory, proxy or redis.")
    var only: Subject?

    @Option(help: "How many counted rounds each row has.")
    var rounds = 7

    @Option(help: "Where the rows are written.")
    var output = "results.json"

    @Option(help: "The Redis to measure against, HOST:PORT.")
    var redis = "127.0.0.1:26379"

    func run() async throws {
        var report = Report()
        for subject in Subject.allCases where self.only == nil || self.only == subject {
            print("measuring \(subject.rawValue) …")
            do {
                switch subject {
                case .memory: report.comparisons += try await MemoryRow.measure(rounds: self.rounds)
                case .redis: report.comparisons += try await RedisRows.measure(rounds: self.rounds, server: self.redis)
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
