public import BalancerKit
public import Logging

/// What a limit tells requests apart by. A request whose key is empty is not limited, as in nginx.
public struct LimitKey: Hashable, Sendable {
    /// A part of a key. More may be added.
    public struct Part: Hashable, Sendable {
        package enum Base: Hashable, Sendable {
            case clientAddress, host, path, method
            case header(String)
            case text(String)
        }

        package let base: Base

        /// The client's IP address (`$binary_remote_addr`); behind a trusted proxy that of `X-Real-IP`, see ``ForwardingPolicy/trustedProxies``.
        /// Clients on a Unix domain socket share `unix:`.
        public static let clientAddress = Part(base: .clientAddress)
        /// The host that the request is for, in lower case and without port (`$host`).
        public static let host = Part(base: .host)
        /// The path as its meaning is, without the query (`$uri`).
        public static let path = Part(base: .path)
        /// The method (`$request_method`).
        public static let method = Part(base: .method)
        /// The first field of this name (`$http_NAME`), empty without one. Compared without case.
        public static func header(_ name: String) -> Part { Part(base: .header(name)) }
        /// The same for every request: one limit for all of them (`$server_name`).
        public static func text(_ text: String) -> Part { Part(base: .text(text)) }
    }

    /// The key is what these make together.
    public var parts: [Part]

    public init(_ parts: [Part]) {
        self.parts = parts
    }

    /// One limit for each client.
    public static let clientAddress = LimitKey([.clientAddress])
}

/// What is remembered of requests by key, shared by all routes that name it: nginx's `limit_req_zone`.
public struct RequestZone: Hashable, Sendable {
    public var name: String
    public var key: LimitKey
    public var rate: RateLimit.Rate
    /// Keys that are remembered at the same time; about 100 bytes and the key each, of which long ones are kept as hashes.
    public var maximumKeys = 65_536
    /// What happens to a request with a new key when all are in use.
    public var whenFull = RateLimit.WhenFull.reject

    public init(name: String, key: LimitKey = .clientAddress, rate: RateLimit.Rate) {
        self.name = name
        self.key = key
        self.rate = rate
    }
}

/// A route's share in a zone: nginx's `limit_req zone=… burst=… delay=…`.
public struct RequestLimit: Hashable, Sendable {
    /// The name of a ``RequestZone``.
    public var zone: String
    /// Requests above the rate that are taken at all.
    public var burst: Int
    /// Which of them are delayed.
    public var delay: RateLimit.Delay

    public init(zone: String, burst: Int = 0, delay: RateLimit.Delay = .above(0)) {
        self.zone = zone
        self.burst = burst
        self.delay = delay
    }
}

/// What is counted of requests in flight by key, shared by all routes that name it: nginx's `limit_conn_zone`.
public struct ConnectionZone: Hashable, Sendable {
    public var name: String
    public var key: LimitKey
    /// Keys that are counted at the same time. A request with a key beyond them is rejected, as in nginx.
    public var maximumKeys = 65_536

    public init(name: String, key: LimitKey = .clientAddress) {
        self.name = name
        self.key = key
    }
}

/// A route's share in a zone: nginx's `limit_conn`. A connection counts while it carries a request, from the end of the head to the end of the answer.
public struct ConnectionLimit: Hashable, Sendable {
    /// The name of a ``ConnectionZone``.
    public var zone: String
    /// Requests in flight at the same time under one key; at least 1.
    public var connections: Int

    public init(zone: String, connections: Int) {
        self.zone = zone
        self.connections = connections
    }
}

/// The limits of a route. None by default; they cost nothing then.
///
/// The rate is looked at first, and a request that is delayed counts as a connection only after its delay. Of several limits on the rate
/// the first that rejects decides and the longest delay applies; a rejected request counts under none.
public struct TrafficLimits: Hashable, Sendable {
    public var requests: [RequestLimit] = []
    /// The answer to a request above the rate, 400…599: nginx's `limit_req_status`.
    public var requestStatus = 503
    /// The level at which such a request is logged, a delayed one a step lower: `limit_req_log_level`.
    public var requestLogLevel = Logger.Level.error
    /// Whether the rate is only watched: what would be rejected or delayed is logged, and passes.
    public var isRequestDryRun = false

    public var connections: [ConnectionLimit] = []
    /// The answer to a request beyond the connections, 400…599: nginx's `limit_conn_status`.
    public var connectionStatus = 503
    /// The level at which such a request is logged: `limit_conn_log_level`.
    public var connectionLogLevel = Logger.Level.error
    /// Whether connections are only watched.
    public var isConnectionDryRun = false

    public init() {}
}
