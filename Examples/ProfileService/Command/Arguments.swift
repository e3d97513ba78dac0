public import ArgumentParser
public import Logging
public import ProfileService

extension ListenAddress: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
    public var defaultValueDescription: String { self.description }
}

extension StoreChoice: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension QueueChoice: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// What the parts take that stand on servers.
struct PatienceOptions: ParsableArguments {
    @Option(help: "How many seconds Redis and Memcached may take for an answer; RabbitMQ may take five times as long. Default: 1.")
    var storeTimeout: Int?

    func patience(_ environment: Environment) throws -> Patience {
        guard let seconds = try self.storeTimeout ?? environment.value("store-timeout") else { return Patience() }
        return Patience(answer: .seconds(seconds))
    }
}

/// What every part takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "How much is logged to standard error: trace, debug, info, notice, warning, error or critical. Default: notice.")
    var logLevel: Logger.Level?

    func bootstrapLogging(_ environment: Environment) throws -> Logger {
        let level = try environment.value(self.logLevel, "log-level", default: .notice)
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "profile-service")
    }
}
