/// What the proxy tells the upstream of the client, and the client of the upstream.
public struct ForwardingPolicy: Sendable {
    /// Which Host an upstream sees.
    public enum HostHeader: Hashable, Sendable {
        /// The client's, in lower case, without port and trailing dot (nginx's `$host`).
        case normalized
        /// The client's as it was sent (nginx's `$http_host`).
        case original
        /// Always this one.
        case fixed(String)
    }

    /// What becomes of a response's Server field.
    public enum ServerHeader: Hashable, Sendable {
        /// The upstream's is replaced by this one.
        case replace(String)
        /// There is none.
        case remove
        /// The upstream's is left.
        case keep
    }

    public var hostHeader = HostHeader.normalized
    /// The host of HTTP/1.0 requests that have none.
    public var defaultHost = "localhost"
    /// Proxies in front of this one whose `X-Forwarded-*` may be believed. By default nobody's: a client's own are replaced.
    ///
    /// From a trusted peer `X-Forwarded-For` is extended, its `X-Forwarded-Proto` and `-Host` are kept, and `X-Real-IP` becomes the last
    /// address in the chain that is not trusted itself.
    public var trustedProxies: [CIDRBlock] = []
    /// The name to enter in Via on both sides (RFC 9110 §7.6.3); nil leaves Via as it is.
    public var via: String?
    public var serverHeader = ServerHeader.replace("ScaleKit")

    public init() {}
}
