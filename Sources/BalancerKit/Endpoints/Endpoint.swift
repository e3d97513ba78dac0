/// One server of a balanced group: where it listens, its share of the calls, and when it is set aside.
///
/// The fields carry nginx's meaning and defaults (the parameters of `server` in an `upstream` block). A string literal does for the
/// common case, `"10.0.0.1:8001"`; text from outside goes through ``init(parsing:)``, which throws. Nothing is resolved or connected here.
///
/// Values are checked when a group is made of them: ``EndpointSet``, and so `Balancer`, throws for a weight of zero, a port
/// out of range, a literal that is no address. An endpoint by itself is plain data.
public struct Endpoint: Hashable, Sendable {
    /// Where the endpoint listens. Two endpoints of a group never share an address: it is what an endpoint is recognised by.
    public var address: Address

    /// Share of the calls in relation to the other endpoints' weights; at least 1. Strategies that look at load divide it by the weight.
    public var weight: Int = 1

    /// Failed attempts after which the endpoint is set aside for ``failTimeout``; 0 never sets it aside.
    ///
    /// A success does not take failures back until ``failTimeout`` has passed. Alone in its group, an endpoint is never set aside.
    public var maxFails: Int = 1

    /// How long ``maxFails`` failures count, and how long the endpoint is then set aside; after that one call probes it.
    ///
    /// In whole seconds, a fraction is rounded up. As nginx counts seconds by their number, the rest can last up to one second longer.
    public var failTimeout: Duration = .seconds(10)

    /// Calls that may be in flight to this endpoint at the same time; 0 is no limit.
    public var maxConnections: Int = 0

    /// Whether the endpoint is used only while no other one can be.
    public var isBackup: Bool = false

    /// Whether the endpoint is taken out of use by its operator.
    public var isDown: Bool = false

    /// An endpoint at `address`, right as it is: weight 1, set aside for 10 s after one failure.
    public init(
        _ address: Address, weight: Int = 1, maxFails: Int = 1, failTimeout: Duration = .seconds(10), maxConnections: Int = 0,
        isBackup: Bool = false, isDown: Bool = false
    ) {
        self.address = address
        self.weight = weight
        self.maxFails = maxFails
        self.failTimeout = failTimeout
        self.maxConnections = maxConnections
        self.isBackup = isBackup
        self.isDown = isDown
    }

    /// An endpoint at a host and port.
    ///
    /// - Parameter host: a name or an IP address; an IPv6 address without brackets.
    public init(host: String, port: Int, weight: Int = 1, isBackup: Bool = false) {
        self.init(.host(host, port: port), weight: weight, isBackup: isBackup)
    }

    /// An endpoint at a Unix domain socket.
    public init(unixPath path: String, weight: Int = 1, isBackup: Bool = false) {
        self.init(.unix(path: path), weight: weight, isBackup: isBackup)
    }

    /// Reads `host:port`, `[IPv6]:port` or `unix:/path` from outside the program.
    ///
    /// - Throws: `BalancerError` with the code `invalidEndpoint` and what is wrong with the text.
    public init(parsing text: String) throws(BalancerError) {
        self.init(try Address(parsing: text))
    }
}

extension Endpoint: ExpressibleByStringLiteral {
    /// An endpoint with default settings. A literal that is no address makes the group that it is put into throw, never trap.
    public init(stringLiteral text: String) {
        self.init((try? Address(parsing: text)) ?? .host(text, port: 0))
    }
}

extension Endpoint: CustomStringConvertible {
    /// The address alone, as `host:port`, `[IPv6]:port` or `unix:/path`.
    public var description: String { self.address.description }
}
