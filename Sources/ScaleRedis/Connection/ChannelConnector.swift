import NIOCore
import NIOPosix
import NIOSSL
import ScaleCore

/// Opens a channel to one server, with TLS where the URL asks for it.
struct ChannelConnector: Sendable {
    let host: String
    let port: Int
    let address: String
    let timeout: Duration
    private let tls: NIOSSLContext?
    private let serverName: String?

    init(url: RedisURL, configuration: RedisConfiguration) throws(RedisError) {
        self.host = url.host
        self.port = url.port
        self.address = url.address
        self.timeout = configuration.connectTimeout
        self.tls = url.usesTLS ? try configuration.tls.makeContext() : nil
        self.serverName = configuration.tls.serverName ?? (Self.isAddress(url.host) ? nil : url.host)
        if let tls = self.tls {
            do {
                _ = try NIOSSLClientHandler(context: tls, serverHostname: self.serverName)
            } catch {
                throw RedisError(code: .invalidConfiguration, message: "tls.serverName: not a host name")
            }
        }
    }

    /// Connects on `eventLoop`, with `handler` at the end of the pipeline.
    func connect(on eventLoop: any EventLoop, handler: @escaping @Sendable () -> any ChannelHandler) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connectTimeout(.nanoseconds(max(1, self.timeout.wholeNanoseconds)))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = self.tls {
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: tls, serverHostname: self.serverName))
                    }
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
            .connect(host: self.host, port: self.port)
    }

    private static func isAddress(_ host: String) -> Bool {
        (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }

    /// What happened, without anything that could hold a value.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let failure = error.connectionErrors.first { return Self.describe(failure.error) }
            return "the host name cannot be resolved"
        case let error as IOError: return error.description
        case let error as RedisError: return error.message
        case is ChannelError: return "\(error)"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: return "TLS: \(error)"
        default: return "\(error)"
        }
    }
}
