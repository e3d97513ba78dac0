import ArgumentParser
import ProfileService

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run everything in one process: two instances, a worker and the proxy in front. Needs no server.",
        discussion: "Ends with Ctrl-C. With --smoke it plays a scripted scenario instead, prints what each kit did, and exits.")

    @Option(help: "Where the proxy listens, HOST:PORT. Default: 127.0.0.1:8080; with --smoke any free port.")
    var listen: ListenAddress?

    @Option(help: "The SQLite file with users and profiles. Default: a new one that is removed at the end.")
    var database: String?

    @Option(help: "How many profiles a database without any is filled with; 0 gives an empty list.")
    var seed = 1000

    @Flag(inversion: .prefixedNo, help: "Session cookies without Secure and __Host-, so that plain HTTP on loopback works.")
    var insecureCookies = true

    @Flag(help: "Play the scripted scenario, print the figures, and exit.")
    var smoke = false

    @Option(help: "With --smoke: cache and sessions on this Redis, and each part a process of its own.")
    var redis: StoreChoice?

    @Option(help: "With --smoke: write the steps and figures to this file.")
    var json: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !self.smoke, self.redis != nil { throw ValidationError("--redis goes with --smoke") }
        if !self.smoke, self.json != nil { throw ValidationError("--json goes with --smoke") }
        if let redis, case .redis = redis {
        } else if self.redis != nil {
            throw ValidationError("--redis takes a URL: redis://HOST:PORT/DATABASE")
        }
    }

    func run() async throws {
        let logger = try self.common.bootstrapLogging(Environment())
        var settings = DemoSettings()
        settings.listen = self.listen ?? (self.smoke ? ListenAddress(host: "127.0.0.1", port: 0) : settings.listen)
        settings.database = self.database
        settings.seed = self.seed
        settings.insecureCookies = self.insecureCookies
        if self.smoke {
            let servers: SmokeServers? = if case .redis(let url)? = self.redis { SmokeServers(redis: url) } else { nil }
            let succeeded = try await SmokeSettings(demo: settings, servers: servers, json: self.json).run(logger: logger)
            if !succeeded { throw ExitCode.failure }
        } else {
            try await settings.run(logger: logger)
        }
    }
}
