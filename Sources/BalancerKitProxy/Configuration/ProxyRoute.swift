/// Which requests go where, by the beginning of their path, by the whole of it, or by an expression.
///
/// The prefix is compared byte by byte with the path as its meaning is: escapes decoded, dot segments resolved, double slashes merged. So
/// `/admin` takes `/admin`, `/%61dmin`, `/x/../admin` and `//admin`, and also `/admin;x` and `/administrator`, as nginx's prefix locations do.
/// The upstream gets the target as the client sent it, unless ``replacementPath`` says otherwise.
///
/// The order is nginx's: the exact route; else the longest prefix is found, and unless it is firm, the expressions are asked in their order,
/// of which the first that matches wins; else the longest prefix.
public struct ProxyRoute: Sendable {
    /// What becomes of a request.
    public enum Action: Sendable {
        /// It is sent to one of these endpoints.
        case forward(UpstreamConfiguration)
        /// It is answered with a file.
        case files(StaticFiles)
        /// It is answered with this status, 400…599, and a short text.
        case refuse(status: Int)
        /// It is answered with what is written here, such as a redirection.
        case answer(FixedAnswer)
        /// The connection is closed without an answer: nginx's `return 444`.
        case close
    }

    /// Begins with `/`; means nothing beside an ``expression``.
    public var prefix: String
    /// Whether only the prefix itself is taken, as the whole path: nginx's `location = /path`. Such a route comes before all prefixes.
    public var isExact = false
    /// Whether no expression takes a path with this prefix: nginx's `location ^~ /path`.
    public var isFirm = false
    /// Instead of the prefix, what matches somewhere in the path: nginx's `location ~ expression`.
    public var expression: PathExpression?
    public var action: Action
    /// Routes for a part of this one's paths: nginx's locations within a location. Their expressions are asked before those around them.
    public var routes: [ProxyRoute] = []

    /// What the upstream gets in the prefix's place, in front of the path's rest: nginx's `proxy_pass http://upstream/path`. The path is then
    /// the decoded and normalized one. Begins with `/`; nil sends the target on as it came. Not with an expression.
    public var replacementPath: String?
    /// Fields that the upstream gets: nginx's `proxy_set_header`. They come before all others, and replace the client's of the same names
    /// and the proxy's own (Host, X-Real-IP, X-Forwarded-*). Those that frame a message or belong to one connection cannot be set.
    public var requestFields: [RequestField] = []
    /// What responses get, whatever the action is.
    public var responses = ResponseSettings()
    /// How large bodies may be; nil is ``ProxyLimits/bodyLength``.
    public var bodyLimit: BodyLimit?
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

    /// Requests whose path an expression matches go to these endpoints.
    public init(expression: PathExpression, upstream: UpstreamConfiguration) {
        self.init(expression: expression, action: .forward(upstream))
    }

    public init(expression: PathExpression, action: Action) {
        self.init(prefix: "/", action: action)
        self.expression = expression
    }
}
