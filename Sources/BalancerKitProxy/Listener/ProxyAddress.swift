import ScaleCore

/// Where a proxy listens, as the system has it.
public struct ProxyAddress: Hashable, Sendable, CustomStringConvertible {
    /// An IP address, IPv6 without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `host:port` or `[IPv6]:port`.
    public var description: String {
        self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
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
