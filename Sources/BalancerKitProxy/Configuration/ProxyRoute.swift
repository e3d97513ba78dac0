/// Which requests go where, by the beginning of their path.
///
/// The prefix is compared byte by byte with the path as its meaning is: escapes decoded, dot segments resolved, double slashes merged. So
/// `/admin` takes `/admin`, `/%61dmin`, `/x/../admin` and `//admin`, and also `/admin;x` and `/administrator`, as nginx's prefix locations do.
/// The upstream gets the target as the client sent it.
public struct ProxyRoute: Sendable {
    /// What becomes of a request.
    public enum Action: Sendable {
        /// It is sent to one of these endpoints.
        case forward(UpstreamConfiguration)
        /// It is answered with this status, 400…599, and a short text.
        case refuse(status: Int)
    }

    /// Begins with `/`.
    public var prefix: String
    public var action: Action

    public init(prefix: String, action: Action) {
        self.prefix = prefix
        self.action = action
    }

    /// Requests with this prefix go to these endpoints.
    public init(prefix: String, upstream: UpstreamConfiguration) {
        self.init(prefix: prefix, action: .forward(upstream))
    }
}
