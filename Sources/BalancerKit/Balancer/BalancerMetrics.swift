import Metrics

/// A balancer's metrics, made once, since finding one by its label costs more than a pick.
///
/// `balancer.attempts` by outcome, `balancer.attempt.duration`, `balancer.active`, `balancer.repeats`, `balancer.unavailable`; all of them carry the
/// balancer's name as `balancer`.
struct BalancerMetrics: Sendable {
    private let repeats: Counter
    private let unavailable: Counter
    private let active: Meter
    private let successes: Counter
    private let failures: Counter
    private let abandoned: Counter
    private let duration: Timer

    init(name: String, factory: any MetricsFactory) {
        let balancer = ("balancer", name)
        self.repeats = Counter(label: "balancer.repeats", dimensions: [balancer], factory: factory)
        self.unavailable = Counter(label: "balancer.unavailable", dimensions: [balancer], factory: factory)
        self.active = Meter(label: "balancer.active", dimensions: [balancer], factory: factory)
        self.successes = Counter(label: "balancer.attempts", dimensions: [balancer, ("outcome", "success")], factory: factory)
        self.failures = Counter(label: "balancer.attempts", dimensions: [balancer, ("outcome", "failure")], factory: factory)
        self.abandoned = Counter(label: "balancer.attempts", dimensions: [balancer, ("outcome", "abandoned")], factory: factory)
        self.duration = Timer(label: "balancer.attempt.duration", dimensions: [balancer], factory: factory)
    }

    func began() { self.active.increment() }

    func repeated() { self.repeats.increment() }

    func foundNobody() { self.unavailable.increment() }

    func ended(_ outcome: CallOutcome, after duration: Duration) {
        self.active.decrement()
        self.duration.record(duration: duration)
        switch outcome {
        case .success: self.successes.increment()
        case .failure: self.failures.increment()
        case .abandoned: self.abandoned.increment()
        }
    }
}
