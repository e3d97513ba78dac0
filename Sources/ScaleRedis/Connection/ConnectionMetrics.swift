import Metrics
import ScaleCore

/// What a connection reports to swift-metrics, once for each read of replies and never for each command.
struct ConnectionMetrics: Sendable {
    private let commands: Counter
    private let errors: Counter
    private let inFlight: Gauge
    private let latency: Metrics.Timer

    init(address: String, factory: any MetricsFactory) {
        let dimensions = [("db.system.name", "redis"), ("server.address", address)]
        self.commands = Counter(label: "scalekit.redis.commands", dimensions: dimensions, factory: factory)
        self.errors = Counter(label: "scalekit.redis.errors", dimensions: dimensions, factory: factory)
        self.inFlight = Gauge(label: "scalekit.redis.in_flight", dimensions: dimensions, factory: factory)
        self.latency = Metrics.Timer(label: "db.client.operation.duration", dimensions: dimensions, factory: factory)
    }

    /// Replies that a read has brought, and how long the newest batch that became complete has taken.
    func received(_ replies: Int, latency: Duration?, inFlight: Int) {
        guard replies > 0 else { return }
        self.commands.increment(by: replies)
        self.inFlight.record(inFlight)
        if let latency { self.latency.recordNanoseconds(latency.wholeNanoseconds) }
    }

    /// Calls that failed without a reply.
    func failed(_ count: Int) {
        self.errors.increment(by: count)
    }

    func close() {
        self.inFlight.record(0)
    }
}
