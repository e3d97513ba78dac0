import ArgumentParser
import ProfileService

struct SmokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "smoke",
        abstract: "Play the scripted scenario on real servers, each part a process of its own, and print what each kit did.",
        discussion: """
            With RabbitMQ, an instance and the worker are killed and Redis is made to stop for 5 s, so name servers that nobody else uses. \
            What is given as --python runs Celery on the other side.
            """)

    @Option(help: "Keeps sessions and results: redis://HOST:PORT/DATABASE.")
    var redis: StoreChoice

    @Option(help: "Keeps the cache: memcached://HOST:PORT,HOST:PORT,… Default: Redis does.")
    var memcached: StoreChoice?

    @Option(help: "Keeps the jobs: amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST. Default: a SQLite file does.")
    var amqp: QueueChoice?

    @Option(help: "A Python interpreter with Celery, to send tasks and to run jobs. Goes with --amqp. Default: none.")
    var python: String?

    @Option(help: "The path of an nginx that is to do the proxy's work. Default: the embedded proxy does.")
    var nginx: String?

    @Option(help: "Where the proxy listens, HOST:PORT. Default: any free port of 127.0.0.1.")
    var listen = ListenAddress(host: "127.0.0.1", port: 0)

    @Option(help: "How many profiles there are, at least 1000.")
    var seed = 1000

    @Option(help: "Write the steps and figures to this file.")
    var json: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        _ = try self.servers()
        if self.python != nil, self.amqp == nil { throw ValidationError("--python goes with --amqp") }
        if self.seed < 1000 { throw ValidationError("--seed must be at least 1000") }
    }

    func run() async throws {
        let logger = try self.common.bootstrapLogging(Environment())
        var demo = DemoSettings()
        demo.listen = self.listen
        demo.seed = self.seed
        var settings = SmokeSettings(demo: demo, servers: try self.servers(), json: self.json)
        settings.python = self.python
        if try await !settings.run(logger: logger) { throw ExitCode.failure }
    }

    private func servers() throws -> SmokeServers {
        guard case .redis(let redis) = self.redis else { throw ValidationError("--redis takes a URL: redis://HOST:PORT/DATABASE") }
        var servers = SmokeServers(redis: redis, nginx: self.nginx)
        switch self.memcached {
        case nil: break
        case .memcached(let url)?: servers.memcached = url
        default: throw ValidationError("--memcached takes a URL: memcached://HOST:PORT,HOST:PORT")
        }
        switch self.amqp {
        case nil: break
        case .rabbitMQ(let url)?: servers.rabbitMQ = url
        default: throw ValidationError("--amqp takes a URL: amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST")
        }
        return servers
    }
}
