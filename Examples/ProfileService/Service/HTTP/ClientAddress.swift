import HTTPTypes
import Hummingbird

/// Who asks: the peer, or, when the peer is one of our proxies, whom the proxy says that it asks for.
///
/// A header that anybody can send counts only from an address that the operator named.
struct ClientAddress: Sendable {
    let trustedProxies: Set<String>

    func of(_ request: Request, _ context: ProfileContext) -> String {
        guard self.trustedProxies.contains(context.peerAddress), let name = Self.realIP,
            let address = request.headers[name], !address.isEmpty, address.utf8.count <= 45
        else { return context.peerAddress }
        return address
    }

    private static let realIP = HTTPField.Name("X-Real-IP")
}
