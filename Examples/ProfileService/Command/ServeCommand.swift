import ArgumentParser
import ProfileService

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the HTTP API: one instance, as many of which as are needed run beside each other.")

    @Option(help: "Where to listen, HOST:PORT. Default: 127.0.0.1:8080.")
    var listen: ListenAddress?

    @Option(
        help: """
            Where the cache is kept: memory, redis://HOST:PORT/DATABASE (rediss:// for TLS), or memcached://HOST:PORT,HOST:PORT,… \
            Default: memory.
            """)
    var cache: StoreChoice?

    @Option(help: "Where sessions and failed logins are kept: memory, or redis://HOST:PORT/DATABASE. Default: memory.")
    var sessions: StoreChoice?

    @Option(
        help: """
            Where jobs wait: memory, sqlite:FILE, or amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST (amqps:// for TLS). With memory, this \
            instance runs them itself. Default: memory.
            """)
    var queue: QueueChoice?

    @Option(help: "Where results of jobs on RabbitMQ are kept: redis://HOST:PORT/DATABASE. Default: where the sessions or the cache are.")
    var results: StoreChoice?

    @Option(help: "The SQLite file with users and profiles; it is created when missing. Default: profiles.sqlite.")
    var database: String?

    @Option(help: "How many profiles a database without any is filled with. Default: 1000.")
    var seed: Int?

    @Option(help: "The namespace of the cached entries. Default: profiles.")
    var cacheNamespace: String?

    @Option(help: "The address of a proxy whose X-Real-IP is believed; can be repeated. Default: none.")
    var trustedProxy: [String] = []

    @Option(help: "How many streams of the live feed one client address may have open at this instance. Default: 8.")
    var listenersPerClient: Int?

    @Flag(help: "Session cookies without Secure and __Host-, for plain HTTP on loopback only.")
    var insecureCookies = false

    @OptionGroup var servers: PatienceOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let environment = Environment()
        let logger = try self.common.bootstrapLogging(environment)
        var settings = ServeSettings()
        settings.listen = try environment.value(self.listen, "listen", default: settings.listen)
        settings.cache = try environment.value(self.cache, "cache", default: settings.cache)
        settings.sessions = try environment.value(self.sessions, "sessions", default: settings.sessions)
        settings.queue = try environment.value(self.queue, "queue", default: settings.queue)
        settings.results = try self.results ?? environment.value("results")
        settings.database = try environment.value(self.database, "database", default: settings.database)
        settings.seed = try environment.value(self.seed, "seed", default: settings.seed)
        settings.cacheNamespace = try environment.value(self.cacheNamespace, "cache-namespace", default: settings.cacheNamespace)
        settings.trustedProxies = Set(try environment.values(self.trustedProxy, "trusted-proxy"))
        settings.listenersPerClient = try environment.value(
            self.listenersPerClient, "listeners-per-client", default: settings.listenersPerClient)
        settings.insecureCookies = try self.insecureCookies || environment.value("insecure-cookies") ?? false
        settings.patience = try self.servers.patience(environment)
        try await settings.run(logger: logger)
    }
}
