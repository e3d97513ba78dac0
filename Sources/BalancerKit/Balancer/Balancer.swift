import Metrics
import ScaleCore

/// Spreads calls over a group of endpoints, sets failing ones aside, and repeats a call on another one where that is safe.
///
/// ```swift
/// let balancer = try Balancer(endpoints: ["10.0.0.1:8001", "10.0.0.2:8001"], strategy: .leastConnections)
/// let reply = try await balancer.withEndpoint { endpoint in try await client.get(endpoint, "/profiles") }
/// ```
///
/// Make one per group and share it: what it knows of the endpoints is the more worth the more calls go through it. It runs no task and opens
/// no connection; health is what the calls show (`maxFails`, `failTimeout`).
public final class Balancer: Sendable {
    let configuration: BalancerConfiguration
    let endpoints: Locked<EndpointSet>
    let metrics: BalancerMetrics

    /// Makes a balancer, ready for calls.
    ///
    /// - Parameters:
    ///   - endpoints: at least one, each address once.
    ///   - random: where strategies that choose by chance take it from; a seeded generator makes them repeatable.
    /// - Throws: `BalancerError` with the code `invalidEndpoint` or `invalidConfiguration`.
    public init(
        endpoints: [Endpoint], strategy: some BalancingStrategy = .roundRobin, configuration: BalancerConfiguration = .init(),
        random: some RandomNumberGenerator & Sendable = FastRandom()
    ) throws(BalancerError) {
        try configuration.validate()
        self.endpoints = Locked(try EndpointSet(endpoints, strategy: strategy, random: random))
        self.configuration = configuration
        self.metrics = BalancerMetrics(name: configuration.name, factory: configuration.metrics ?? MetricsSystem.factory)
    }

    /// Replaces the endpoints, as when a deployment adds machines or service discovery has news.
    ///
    /// One whose address stays keeps what was counted of it. Calls in flight to one that leaves finish there; a repeat goes to the new ones.
    ///
    /// - Throws: `BalancerError` with the code `invalidEndpoint` or `invalidConfiguration`, also when `endpoints` is empty; the
    ///   balancer then goes on with those it has.
    public func update(endpoints: [Endpoint]) throws(BalancerError) {
        try self.endpoints.withLock { set throws(BalancerError) in try set.update(endpoints) }
    }

    /// What is known of each endpoint at present. O(endpoints).
    public var status: [EndpointStatus] {
        let now = self.configuration.time.now()
        return self.endpoints.withLock { $0.status(at: now) }
    }

    /// Calls in flight to endpoints that an update took out.
    public var leavingCalls: Int { self.endpoints.withLock { $0.leavingCalls } }
}
