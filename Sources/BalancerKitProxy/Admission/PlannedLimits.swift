import BalancerKit

/// A route's limits, their zones found by name.
struct PlannedLimits: Sendable {
    struct Request: Sendable {
        /// The zone's place in the configuration.
        let zone: Int
        let name: String
        let key: LimitKey
        let burst: Int
        let delay: RateLimit.Delay
    }

    struct Connection: Sendable {
        let zone: Int
        let name: String
        let key: LimitKey
        let connections: Int
    }

    let settings: TrafficLimits
    let requests: [Request]
    let connections: [Connection]

    /// Nil where nothing is limited.
    init?(_ limits: TrafficLimits, _ configuration: ProxyConfiguration) throws(ProxyError) {
        guard !limits.requests.isEmpty || !limits.connections.isEmpty else { return nil }
        var requests: [Request] = []
        for limit in limits.requests {
            guard let zone = configuration.requestZones.firstIndex(where: { $0.name == limit.zone }) else {
                throw .invalid("limits.requests", "there is no zone of this name: \(limit.zone.prefix(60))")
            }
            guard !requests.contains(where: { $0.zone == zone }) else {
                throw .invalid("limits.requests", "a route names a zone once: \(limit.zone.prefix(60))")
            }
            let key = configuration.requestZones[zone].key
            requests.append(Request(zone: zone, name: limit.zone, key: key, burst: limit.burst, delay: limit.delay))
        }
        var connections: [Connection] = []
        for limit in limits.connections {
            guard let zone = configuration.connectionZones.firstIndex(where: { $0.name == limit.zone }) else {
                throw .invalid("limits.connections", "there is no zone of this name: \(limit.zone.prefix(60))")
            }
            guard !connections.contains(where: { $0.zone == zone }) else {
                throw .invalid("limits.connections", "a route names a zone once: \(limit.zone.prefix(60))")
            }
            let key = configuration.connectionZones[zone].key
            connections.append(Connection(zone: zone, name: limit.zone, key: key, connections: limit.connections))
        }
        self.settings = limits
        self.requests = requests
        self.connections = connections
    }
}
