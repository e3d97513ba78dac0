public import BalancerKit

/// A group of endpoints that serve the same content, and how the proxy talks to them.
public struct UpstreamConfiguration: Sendable {
    /// At least one; names are resolved at each connect.
    public var endpoints: [Endpoint]
    /// Who takes the next request; round robin by weight as in nginx unless chosen otherwise.
    public var strategy: any BalancingStrategy = .roundRobin
    /// What requests are told apart by, for a strategy that sends what belongs together to one endpoint (`KeyHash`, `ConsistentHash`,
    /// `NetworkHash`).
    public var key: UpstreamKey?
    public var nextUpstream = NextUpstreamRules()
    public var keepAlive = UpstreamKeepAlive()
    /// Binds clients to endpoints by a cookie; nil does not.
    public var sticky: StickyCookie?

    public init(endpoints: [Endpoint]) {
        self.endpoints = endpoints
    }
}

/// How connections to upstreams are kept for further requests. They are kept per event loop, the most recently used first.
public struct UpstreamKeepAlive: Sendable {
    /// Idle connections that an event loop keeps for the whole group; beyond it the least recently used is closed. 0 keeps none.
    ///
    /// Too few and a burst of requests opens as many connections anew; nginx's `keepalive`.
    public var connections = 256
    /// Requests after which a connection is closed.
    public var requests = 1000
    /// Age after which a connection is closed instead of kept.
    public var time: Duration = .seconds(3600)
    /// How long an unused connection is kept. Should be below the upstream's own time-out.
    public var idle: Duration = .seconds(60)

    public init() {}
}

/// When a request goes on to another endpoint: nginx's `proxy_next_upstream`, `_tries` and `_timeout`.
///
/// Whatever is set here, a request is never tried again once a byte of its response went to the client, nor once its body was on its
/// way, since bodies are streamed and not kept.
public struct NextUpstreamRules: Sendable {
    /// What counts as a reason to go on. More may be added.
    public struct Conditions: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// No connection, or one that was lost before the response head was whole.
        public static let error = Conditions(rawValue: 1 << 0)
        /// A time-out while connecting, sending, or waiting for the response head.
        public static let timeout = Conditions(rawValue: 1 << 1)
        /// A response that breaks HTTP's rules.
        public static let invalidHeader = Conditions(rawValue: 1 << 2)
        public static let http500 = Conditions(rawValue: 1 << 3)
        public static let http502 = Conditions(rawValue: 1 << 4)
        public static let http503 = Conditions(rawValue: 1 << 5)
        public static let http504 = Conditions(rawValue: 1 << 6)
        public static let http403 = Conditions(rawValue: 1 << 7)
        public static let http404 = Conditions(rawValue: 1 << 8)
        public static let http429 = Conditions(rawValue: 1 << 9)
        /// Also try POST, LOCK and PATCH again after they were sent. Such a request may then be carried out twice.
        public static let nonIdempotent = Conditions(rawValue: 1 << 10)
    }

    /// Empty turns every retry off.
    public var conditions: Conditions = [.error, .timeout]
    /// Attempts at most, the first included; 0 is one for each endpoint.
    public var tries = 0
    /// Time since the first attempt after which no other is begun; nil is no limit.
    public var timeout: Duration?

    public init() {}
}
