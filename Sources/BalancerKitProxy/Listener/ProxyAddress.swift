import ScaleCore

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

/// An address that is known once the proxy listens, or never.
final class PendingAddress: Sendable {
    private struct State {
        var result: Result<ProxyAddress, ProxyError>?
        var waiters: [CheckedContinuation<Result<ProxyAddress, ProxyError>, Never>] = []
    }

    private let state = Locked(State())

    func value() async throws(ProxyError) -> ProxyAddress {
        let result = await withCheckedContinuation { continuation in
            let known: Result<ProxyAddress, ProxyError>? = self.state.withLock { state in
                if state.result == nil { state.waiters.append(continuation) }
                return state.result
            }
            if let known { continuation.resume(returning: known) }
        }
        return try result.get()
    }

    /// The first result counts.
    func resolve(_ result: Result<ProxyAddress, ProxyError>) {
        let waiters = self.state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Result<ProxyAddress, ProxyError>, Never>]() }
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }
}
