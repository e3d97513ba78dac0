public import Logging
public import Metrics
public import ScaleCore
public import Tracing

/// Settings of a ``Balancer``; right when empty.
public struct BalancerConfiguration: Sendable {
    /// What the balancer is called in logs, metrics, spans and errors: the service behind it.
    public var name: String = "balancer"

    /// When a failed call goes on to another endpoint.
    public var nextEndpoint = NextEndpointPolicy()

    /// Reads from an error whether the request was sent and the endpoint is to blame. Too lenient a classifier repeats what is not safe to repeat.
    public var classifier: FailureClassifier = .standard

    /// Where the balancer reads the time for health and time-outs.
    public var time: TimeSource = .system

    /// Gets a warning when an endpoint begins to rest, a notice when it is back, a debug line per repeat.
    public var logger = Logger(label: "BalancerKit")

    /// Where metrics go; nothing is the process' own.
    public var metrics: (any MetricsFactory)?

    /// Where spans go, one per call with the attempts in it; nothing is the process' own.
    public var tracer: (any Tracer)?

    public init() {}

    func validate() throws(BalancerError) {
        try self.nextEndpoint.validate()
    }
}
