/// Which requests go where, by the beginning of their path, or by the whole of it.
///
/// The prefix is compared byte by byte with the path as its meaning is: escapes decoded, dot segments resolved, double slashes merged. So
/// `/admin` takes `/admin`, `/%61dmin`, `/x/../admin` and `//admin`, and also `/admin;x` and `/administrator`, as nginx's prefix locations do.
/// The upstream gets the target as the client sent it.
public struct ProxyRoute: Sendable {
    /// What becomes of a request.
    public enum Action: Sendable {
        /// It is sent to one of these endpoints.
        case forward(UpstreamConfiguration)
        /// It is answered with a file.
        case files(StaticFiles)
        /// It is answered with this status, 400…599, and a short text.
        case refuse(status: Int)
    }

    /// Begins with `/`.
    public var prefix: String
    /// Whether only the prefix itself is taken, as the whole path: nginx's `location = /path`. Such a route comes before all prefixes.
    public var isExact = false
    public var action: Action
    /// How many requests are let through, and how many at the same time; whatever the action is.
    public var limits = TrafficLimits()
    /// Which upgrades reach the upstream. Only where requests are forwarded.
    public var upgrades = UpgradePolicy.never

    public init(prefix: String, action: Action) {
        self.prefix = prefix
        self.action = action
    }

    /// Requests with this prefix go to these endpoints.
    public init(prefix: String, upstream: UpstreamConfiguration) {
        self.init(prefix: prefix, action: .forward(upstream))
    }

    /// Requests with this prefix are answered with files.
    public init(prefix: String, files: StaticFiles) {
        self.init(prefix: prefix, action: .files(files))
    }
}
