import BalancerKit
import BalancerKitProxy
public import Logging

/// What `proxy` is told.
public struct ProxySettings: Sendable {
    public var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    public var upstreams: [ListenAddress] = []

    public init() {}

    /// Balances requests until the process is told to end.
    public func run(logger: Logger) async throws {
        try await ServiceRunner(logger: logger).run {
            try await ListenCheck.run(self.listen)
            let proxy = try self.proxy(logger: logger)
            return [
                proxy,
                WhenRunning {
                    let address = ListenAddress(host: self.listen.host, port: try await proxy.address().port)
                    logger.notice("balancing", metadata: ["address": "\(address)", "instances": "\(self.upstreams.count)"])
                },
            ]
        }
    }

    func proxy(logger: Logger) throws -> ReverseProxy {
        do {
            var configuration = ProxyConfiguration(endpoints: self.upstreams.map { Endpoint(host: $0.host, port: $0.port) })
            configuration.host = self.listen.host
            configuration.port = self.listen.port
            return try ReverseProxy(configuration, logger: logger)
        } catch {
            throw StartError("--upstream: \(error)")
        }
    }
}
