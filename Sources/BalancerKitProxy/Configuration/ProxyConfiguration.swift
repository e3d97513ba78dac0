public import BalancerKit
public import Logging

/// What a ``ReverseProxy`` listens on, where it sends requests, and within which bounds. Right as it is, but for the upstreams.
public struct ProxyConfiguration: Sendable {
    /// Address to bind: an IP address or a name of this machine. `0.0.0.0` and `::` are all interfaces.
    public var host = "127.0.0.1"
    /// Port to bind; 0 lets the system choose, see ``ReverseProxy/address()``.
    public var port = 8080
    /// Path of a Unix domain socket to listen on, instead of host and port. Clients then have no address: they are `unix:`, as in nginx.
    ///
    /// A socket that an earlier process left there is replaced if nobody listens on it any more, and ours is removed in the end.
    public var unixSocket: String?
    /// Connections that wait in the kernel to be accepted. The system may cap it (`net.core.somaxconn`).
    public var backlog = 4096
    /// One listening socket per event loop (`SO_REUSEPORT`) instead of one for all.
    ///
    /// The kernel then spreads connections by hash, which saves a hand-over per connection with very many short ones and spreads few
    /// long ones unevenly. Another process of the same user can bind the same port, so a port in use is no error any more.
    public var reusesPort = false
    /// Threads of the proxy's own; nil shares the process-wide NIO threads, one per core. A connection and its upstreams stay on one thread.
    public var threads: Int?

    /// Which upstream takes which path, see ``ProxyRoute``; a path that none fits is answered with 404. Of a host that is none of ``hosts``.
    public var routes: [ProxyRoute]
    /// Routes for requests to certain hosts: nginx's `server`s by name. The `default_server` is ``routes``.
    public var hosts: [ProxyHost] = []

    /// What responses get, unless a route or host says otherwise. Answers to what is no HTTP, and to paths that no route takes, get it as well.
    public var responses = ResponseSettings()

    /// TLS on the listening address; nil is plain HTTP.
    public var tls: ProxyTLS?

    /// What the routes' limits on rates count, by name.
    public var requestZones: [RequestZone] = []
    /// What the routes' limits on connections count, by name.
    public var connectionZones: [ConnectionZone] = []

    public var limits = ProxyLimits()
    public var timeouts = ProxyTimeouts()
    public var forwarding = ForwardingPolicy()
    public var clientKeepAlive = ClientKeepAlive()

    /// The level at which each request is a line in the log, once it is over: client, method, path, status, bytes of the body, duration
    /// in microseconds, upstream; nil is none. A route may leave it out, or have nginx's lines in a file instead: ``ResponseSettings/log``.
    ///
    /// The path stands there without its query, which may hold secrets. What was refused as no HTTP has no such line but one with its
    /// reason. A line costs more than the rest of a request; at a level that the logger leaves out it costs nothing.
    public var accessLog: Logger.Level? = .debug

    /// Everything goes to one upstream.
    public init(upstream: UpstreamConfiguration) {
        self.routes = [ProxyRoute(prefix: "/", upstream: upstream)]
    }

    /// Everything goes to these endpoints, in turn.
    public init(endpoints: [Endpoint]) {
        self.init(upstream: UpstreamConfiguration(endpoints: endpoints))
    }

    /// Requests go by the prefix of their paths.
    public init(routes: [ProxyRoute]) {
        self.routes = routes
    }
}

/// How large parts of a message may be.
public struct ProxyLimits: Sendable {
    /// Bytes of a request target (path and query); more is 414.
    public var targetLength = 8 << 10
    /// Bytes of a head's field lines, of a body's chunk extensions, of a trailer section; more is 431, in a response 502.
    public var headerLength = 32 << 10
    /// Field lines of a head; more is 431, in a response 502.
    public var fieldCount = 200
    /// Bytes of a request body; more is 413, by its Content-Length at once, else as soon as they have come. Nil is no limit.
    public var bodyLength: Int?

    public init() {}
}

/// How long the proxy waits, and for what. All are measured by one coarse timer: they strike up to half a second late.
public struct ProxyTimeouts: Sendable {
    /// For a whole request head, from its first byte (of a connection's first head: from the connection's beginning); then 408.
    public var clientHead: Duration = .seconds(60)
    /// Between two reads of a request body; then 408.
    public var clientBody: Duration = .seconds(60)
    /// For a client that takes nothing of its response; then the connection is closed.
    public var clientSend: Duration = .seconds(60)
    /// For a connection to an upstream; then the next upstream, or 504.
    public var upstreamConnect: Duration = .seconds(60)
    /// Between two reads of a response, once the request was sent; then the next upstream, or 504.
    public var upstreamRead: Duration = .seconds(60)
    /// For an upstream that takes nothing of the request; then the next upstream, or 504.
    public var upstreamSend: Duration = .seconds(60)
    /// For the end of what a client still sends after an answer that closes its connection. Closing earlier could destroy the answer.
    public var lingering: Duration = .seconds(5)
    /// For requests in flight at a graceful shutdown; then their connections are closed.
    public var shutdown: Duration = .seconds(8)
    /// For another request on connections that are idle when a graceful shutdown begins. Closing them at once would lose a request that is
    /// already on its way.
    public var shutdownIdle: Duration = .milliseconds(500)

    public init() {}
}

/// How long and for how many requests clients may keep a connection.
public struct ClientKeepAlive: Sendable {
    /// Between a response and the next request.
    public var idle: Duration = .seconds(75)
    /// Requests after which a connection is closed.
    public var requests = 1000
    /// Age after which a connection is closed with the next response.
    public var time: Duration = .seconds(3600)

    public init() {}
}
