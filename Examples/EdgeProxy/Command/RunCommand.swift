import ArgumentParser
import BalancerKit
import BalancerKitNginx
import BalancerKitProxy
import Logging
import ServiceLifecycle
import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Serve what a file describes, in this process.")

    @OptionGroup var arguments: ConfigurationArguments

    @Option(
        help: """
            Where to listen instead of where the file says: HOST:PORT, [IPv6]:PORT or unix:/PATH. Once for each address of the file, in \
            the order in which it mentions them; the others stay.
            """)
    var listen: [String] = []

    func run() async throws {
        let configuration = try self.arguments.read()
        var proxies = configuration.proxies
        guard self.listen.count <= proxies.count else {
            throw OneLine("--listen: given \(self.listen.count) times, and the file has \(proxies.count) addresses")
        }
        for (index, text) in self.listen.enumerated() { try Self.listen(at: text, &proxies[index]) }
        configuration.report.writeToStandardError()
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let logger = Logger(label: "edge-proxy")
        do {
            let servers = try proxies.map { try ReverseProxy($0, logger: logger) }
            // Before anything is served: from now on its signals do not end the process.
            let reload = ReloadService(signals: await UnixSignalsSequence(trapping: .sighup, .sigusr1), servers: servers)
            try await ServiceGroup(
                configuration: .init(
                    services: [.init(service: reload)] + servers.map { .init(service: $0) },
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            ).run()
        } catch {
            throw OneLine("\(error)")
        }
    }

    /// Port 0 lets the system choose, which no endpoint may.
    private static func listen(at text: String, _ proxy: inout ProxyConfiguration) throws {
        let isAnyPort = text.hasSuffix(":0") && !text.lowercased().hasPrefix("unix:")
        do {
            switch try Endpoint.Address(parsing: isAnyPort ? text.dropLast(1) + "1" : text) {
            case .host(let host, let port): (proxy.host, proxy.port, proxy.unixSocket) = (host, isAnyPort ? 0 : port, nil)
            case .unix(let path): proxy.unixSocket = path
            }
        } catch {
            throw OneLine("--listen: \(error.message)")
        }
    }
}
