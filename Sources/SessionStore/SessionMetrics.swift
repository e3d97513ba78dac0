import Metrics

/// What sessions count, by swift-metrics.
///
/// - `sessions.loads`, by `outcome`: `found`, `absent` (unknown or over), `discarded` (over by the present policy, or unreadable);
/// - `sessions.begun`, `sessions.rotated`, `sessions.ended`: logins, renewals, logouts;
/// - `sessions.conflicts`: saves and rotations that came from another version; many mean that requests fight over one session.
struct SessionMetrics: Sendable {
    let found: Counter
    let absent: Counter
    let discarded: Counter
    let begun: Counter
    let rotated: Counter
    let ended: Counter
    let conflicts: Counter

    init(factory: any MetricsFactory) {
        func loads(_ outcome: String) -> Counter {
            Counter(label: "sessions.loads", dimensions: [("outcome", outcome)], factory: factory)
        }
        self.found = loads("found")
        self.absent = loads("absent")
        self.discarded = loads("discarded")
        self.begun = Counter(label: "sessions.begun", dimensions: [], factory: factory)
        self.rotated = Counter(label: "sessions.rotated", dimensions: [], factory: factory)
        self.ended = Counter(label: "sessions.ended", dimensions: [], factory: factory)
        self.conflicts = Counter(label: "sessions.conflicts", dimensions: [], factory: factory)
    }
}
