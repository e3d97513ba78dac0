/// How a worker is seen and steered from outside, by Celery's own means: events and remote control.
///
/// ```swift
/// configuration.monitoring = .init()   // Flower lists the worker; `celery inspect` and `celery control` reach it
/// ```
///
/// **Seen:** the worker announces itself, sends a heartbeat, and tells what becomes of its jobs. **Steered:** it answers `ping`, `stats`,
/// `active`, `registered`, `active_queues` and the other questions of `celery inspect`, and obeys `revoke`, `terminate`, `shutdown`, the
/// switches for events, and these, which hold until the worker ends:
/// - `pool_grow`, `pool_shrink`: how many jobs run at once, 1 to 10,000. A job that runs is not touched.
/// - `rate_limit`: how often jobs of a task begin in this worker, as `10/s`, `100/m` or `2.5/h`. Those over it wait here, four for each slot
///   at most, leased and without a slot; while as many wait, no other messages are taken, as with Celery. After ten minutes a job that waits
///   goes back into its queue.
/// - `time_limit`: the limits of a task's jobs that begin from then on, where their messages bring none. Those of a job type or a Celery task
///   that has limits bring them.
/// - `add_consumer`, `cancel_consumer`: the queues, 256 at most. One that is added is first tried, and is in `active_queues` when it can be
///   taken from; its exchange is the direct one of its name.
///
/// `autoscale` and `pool_restart` are refused, as by a Celery worker that was not configured for them.
///
/// **Revoked ids** are kept in memory, 50,000 of them for three hours, and shared among the workers, Celery's included. After `shutdown`
/// ``Worker/run()`` returns; in a `ServiceGroup` that shall end with it, say so by its `successTerminationBehavior`.
///
/// Monitoring never stands in a job's way: what is to be told waits in a bounded buffer for a connection of its own, and is dropped and
/// counted (`queuekit_monitor_dropped`) when that takes nothing. Whoever may use the broker may ask and command, as with Celery.
public struct WorkerMonitoring: Sendable {
    /// The worker's name among its peers, `name@host`; the host is added where there is no `@`. `nil`: the worker's own name, or
    /// `swift-` and the process's id, which changes with each start. Two workers of one name are one to their watchers: only one of them is reached.
    public var node: String?
    /// Whether the worker tells of its jobs from the start, as Celery's `-E`; otherwise when it is asked to, which Flower does every 5 s.
    public var sendsTaskEvents = true
    /// Every how often the worker says that it is alive. Watchers take it for gone after twice this time. At least 100 ms.
    public var heartbeat: Duration = .seconds(2)
    /// Whether commands are obeyed, those of the list above. Questions are answered in any case.
    public var acceptsControl = true
    /// Whether watchers see the arguments of jobs that run and the results of those that ended; otherwise that there are some. Results are
    /// cut at 1 KiB, and arguments of a message beyond 16 KiB are not shown. What a message says of its own arguments for this purpose (`argsrepr`) is shown in any case.
    public var showsValues = true
    /// How many events wait for a server that takes none; then the oldest are dropped.
    public var bufferedEvents = 4096
    /// Celery's settings `event_exchange` and `control_exchange`, which all workers and watchers share.
    public var eventExchange = "celeryev"
    public var controlExchange = "celery"
    /// The way to the watchers; `nil` is the one of the worker's broker, which must be a ``MonitoredBroker``.
    public var transport: (any MonitorTransport)?

    public init(node: String? = nil) {
        self.node = node
    }
}
