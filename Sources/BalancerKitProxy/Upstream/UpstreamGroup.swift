import BalancerKit
import ScaleCore

/// A configured group of endpoints, shared by all event loops: the balancer's value behind a lock, and the rules for its connections.
final class UpstreamGroup: Sendable {
    let rules: NextUpstreamRules
    let keepAlive: UpstreamKeepAlive
    /// How old a connection may be, and how long unused, in nanoseconds.
    let age: Int64
    let idle: Int64
    /// Endpoints that may be tried, backups included.
    let endpointCount: Int
    /// The group's place in the configuration, by which an event loop finds its idle connections.
    let index: Int
    /// The values of the cookie that binds clients, where there is one.
    let sticky: StickyTable?
    private let endpoints: Locked<EndpointSet>

    init(_ configuration: UpstreamConfiguration, index: Int) throws(ProxyError) {
        self.rules = configuration.nextUpstream
        self.keepAlive = configuration.keepAlive
        self.age = configuration.keepAlive.time.wholeNanoseconds
        self.idle = configuration.keepAlive.idle.wholeNanoseconds
        self.index = index
        self.sticky = configuration.sticky.map { StickyTable($0, configuration.endpoints) }
        self.endpointCount = configuration.endpoints.reduce(0) { $1.isDown ? $0 : $0 + 1 }
        do {
            self.endpoints = Locked(try EndpointSet(configuration.endpoints, strategy: configuration.strategy))
        } catch {
            throw .invalid("endpoints", error.description)
        }
    }

    func pick(_ history: inout CallHistory, preferring address: Endpoint.Address?, at now: Instant) -> Pick {
        self.endpoints.withLock { $0.pick(&history, preferring: address, at: now) }
    }

    func report(_ selection: Selection, _ outcome: CallOutcome, at now: Instant) {
        _ = self.endpoints.withLock { $0.report(selection, outcome, at: now) }
    }
}
