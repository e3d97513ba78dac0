/// Which requests to switch protocols (RFC 9110 §7.8), such as WebSocket's, are passed to the upstream.
///
/// An upstream that switches, by 101, gets a tunnel: bytes go both ways as they come until both sides have ended, or until none has come in
/// either direction for ``ProxyTimeouts/upstreamRead``. One that refuses answers as to any request. `h2c` is never passed: requests
/// inside such a tunnel would go past the routes.
public enum UpgradePolicy: Hashable, Sendable {
    /// None. A request for an upgrade is answered without.
    case never
    /// Those for one of these protocols, compared without case: `["websocket"]`.
    case to([String])
    /// All: nginx's `proxy_set_header Upgrade $http_upgrade` and `Connection $connection_upgrade`.
    case any
}
