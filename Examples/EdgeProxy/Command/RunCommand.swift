import ArgumentParser
import BalancerKit
import BalancerKitNginx
import BalancerKitProxy
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Serve what a file describes, in this process.")

    @OptionGroup var arguments: ConfigurationArguments

    @Option(help: "Where to listen instead of where the file says: HOST:PORT, [IPv6]:PORT or unix:/PATH.")
    var listen: String?

    func run() async throws {
        let configuration = try self.arguments.read()
        for entry in configuration.report.entries { FileHandle.standardError.write(Data("\(entry)\n".utf8)) }
        var proxy = configuration.proxy
        if let listen { try Self.listen(at: listen, &proxy) }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let logger = Logger(label: "edge-proxy")
        do {
            let server = try ReverseProxy(proxy, logger: logger)
            try await ServiceGroup(
                configuration: .init(services: [.init(service: server)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            ).run()
        } catch {
            throw OneLine("\(error)")
        }
    }

    /// Port 0 lets the system choose, which no endpoint may.
    private static func listen(at text: String, _ proxy: inout ProxyConfiguration) throws {
        if text.hasSuffix(":0") {
            (proxy.host, proxy.port, proxy.unixSocket) = (String(text.dropLast(2)), 0, nil)
            return
        }
        do {
            switch try Endpoint.Address(parsing: text) {
            case .host(let host, let port): (proxy.host, proxy.port, proxy.unixSocket) = (host, port, nil)
            case .unix(let path): proxy.unixSocket = path
            }
        } catch {
            throw OneLine("--listen: \(error.message)")
        }
    }
}
