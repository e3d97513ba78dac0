import BalancerKit
import BalancerKitNginx
import BalancerKitProxy
public import Logging

/// What `proxy` is told.
public struct ProxySettings: Sendable {
    public var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    public var upstreams: [ListenAddress] = []
    /// An nginx that is to do the work, by the path of its program; nil: this process does it itself.
    public var nginx: String?

    public init() {}

    /// Balances requests until the process is told to end.
    public func run(logger: Logger) async throws {
        if let nginx {
            try await self.run(nginx, logger: logger)
        } else {
            try await ServiceRunner(logger: logger).run {
                try await ListenCheck.run(self.listen)
                let proxy = try self.proxy(logger: logger)
                return [proxy, self.telling(logger) { try await proxy.address().port }]
            }
        }
    }

    func proxy(logger: Logger) throws -> ReverseProxy {
        try self.translatingErrors { try ReverseProxy(self.configuration, logger: logger) }
    }

    private func run(_ nginx: String, logger: Logger) async throws {
        try await ScratchDirectory.reserved { scratch in
            try await ServiceRunner(logger: logger).run {
                try await ListenCheck.run(self.listen)
                try scratch.create()
                let server = try self.translatingErrors { try NginxServer(self.configuration, directory: scratch.path, executable: nginx) }
                return [
                    server,
                    self.telling(logger) {
                        try await server.started()
                        return self.listen.port
                    },
                ]
            }
        }
    }

    private var configuration: ProxyConfiguration {
        var configuration = ProxyConfiguration(endpoints: self.upstreams.map { Endpoint(host: $0.host, port: $0.port) })
        configuration.host = self.listen.host
        configuration.port = self.listen.port
        return configuration
    }

    private func telling(_ logger: Logger, port: @escaping @Sendable () async throws -> Int) -> WhenRunning {
        WhenRunning {
            let address = ListenAddress(host: self.listen.host, port: try await port())
            logger.notice("balancing", metadata: ["address": "\(address)", "instances": "\(self.upstreams.count)"])
        }
    }

    private func translatingErrors<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw StartError("--upstream: \(error)")
        }
    }
}
