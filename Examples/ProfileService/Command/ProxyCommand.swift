import ArgumentParser
import ProfileService

struct ProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "proxy", abstract: "Balance requests over the instances.")

    @Option(help: "Where to listen, HOST:PORT. Default: 127.0.0.1:8080.")
    var listen: ListenAddress?

    @Option(help: "An instance, HOST:PORT; repeat it for each.")
    var upstream: [ListenAddress] = []

    @Option(help: "The path of an nginx that is to do the work, by the same settings. Default: this process does it itself.")
    var nginx: String?

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let environment = Environment()
        let logger = try self.common.bootstrapLogging(environment)
        var settings = ProxySettings()
        settings.listen = try environment.value(self.listen, "listen", default: settings.listen)
        settings.upstreams = try environment.values(self.upstream, "upstream")
        settings.nginx = try self.nginx ?? environment.value("nginx")
        guard !settings.upstreams.isEmpty else { throw StartError("--upstream: name at least one instance, as HOST:PORT") }
        try await settings.run(logger: logger)
    }
}
