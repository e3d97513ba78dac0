/// Where a proxy listens, as the system has it.
public struct ProxyAddress: Hashable, Sendable, CustomStringConvertible {
    /// An IP address, IPv6 without brackets; empty for a Unix domain socket.
    public var host: String
    /// The TCP port; 0 for a Unix domain socket.
    public var port: Int
    /// The path of a Unix domain socket.
    public var unixSocket: String?

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public init(unixSocket: String) {
        self.host = ""
        self.port = 0
        self.unixSocket = unixSocket
    }

    /// `host:port`, `[IPv6]:port` or `unix:/path`.
    public var description: String {
        if let unixSocket { return "unix:\(unixSocket)" }
        return self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
