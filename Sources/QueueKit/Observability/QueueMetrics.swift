internal import Metrics
internal import ScaleCore

/// The counters and timers of queues and workers.
///
/// | name | kind | dimensions |
/// |---|---|---|
/// | `queuekit_jobs_enqueued`, `_started`, `_succeeded`, `_failed`, `_retried`, `_revoked`, `_dead_lettered` | counter | `queue`, `task` |
/// | `queuekit_leases_lost` | counter | `queue` |
/// | `queuekit_job_duration_seconds` | timer | `queue`, `task` |
/// | `queuekit_monitor_dropped` | counter | |
/// | `queuekit_queue_depth` | gauge | `queue`, `condition` |
///
/// Names of tasks that no handler is registered for come from outside and are counted as `unregistered`.
struct QueueMetrics: Sendable {
    enum Event: String {
        case enqueued = "queuekit_jobs_enqueued"
        case started = "queuekit_jobs_started"
        case succeeded = "queuekit_jobs_succeeded"
        case failed = "queuekit_jobs_failed"
        case retried = "queuekit_jobs_retried"
        case revoked = "queuekit_jobs_revoked"
        case deadLettered = "queuekit_jobs_dead_lettered"
    }

    let factory: (any MetricsFactory)?

    private var current: any MetricsFactory { self.factory ?? MetricsSystem.factory }

    func count(_ event: Event, task: String, queue: String) {
        Counter(label: event.rawValue, dimensions: [("queue", queue), ("task", task)], factory: self.current)
            .increment()
    }

    func leaseLost(queue: String) {
        Counter(label: "queuekit_leases_lost", dimensions: [("queue", queue)], factory: self.current).increment()
    }

    /// Events and answers that watchers were not sent.
    func monitorDropped(_ count: Int) {
        Counter(label: "queuekit_monitor_dropped", factory: self.current).increment(by: count)
    }

    func duration(_ duration: Duration, task: String, queue: String) {
        Metrics.Timer(
            label: "queuekit_job_duration_seconds", dimensions: [("queue", queue), ("task", task)], factory: self.current
        )
        .recordNanoseconds(duration.wholeNanoseconds)
    }

    func depth(_ counts: QueueCounts, queue: String) {
        for (condition, count) in [
            ("ready", counts.ready), ("delayed", counts.delayed), ("leased", counts.leased), ("dead", counts.dead),
        ] {
            Gauge(label: "queuekit_queue_depth", dimensions: [("queue", queue), ("condition", condition)], factory: self.current)
                .record(count)
        }
    }
}
