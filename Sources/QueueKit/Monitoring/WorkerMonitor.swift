internal import Logging
internal import ScaleCore

/// The shell around the monitor's engine: it holds the lock, the timer, and the link to the watchers, which it opens again when it is lost.
///
/// A worker that reports waits for no more than the lock; what is to be published is encoded and sent by a task of the monitor's own.
final class WorkerMonitor: Sendable {
    typealias Slot = WorkerEngine.Slot

    struct State {
        var engine: MonitorEngine
        var link: (any MonitorLink)?
        /// Counts links: what an old one still says is not about the new one.
        var epoch: UInt64 = 0
        /// Whether the worker's end was begun, so that the loop ends when nothing is left to publish.
        var isEnding = false
        var isClosed = false
        var reportedDrops = 0
    }

    let node: MonitorNode
    let transport: any MonitorTransport
    let time: TimeSource
    let logger: Logger
    let metrics: QueueMetrics
    let carryOut: @Sendable (MonitorEngine.Effect) -> Void
    let state: Locked<State>
    private let alarm: Locked<Alarm?> = Locked(nil)
    /// Raised when there may be something to publish, or the link is gone.
    let changed = Signal()

    /// - Parameter carryOut: what the worker does because a watcher said so; called outside of all locks, and returns at once.
    init(
        _ node: MonitorNode, _ settings: WorkerSettings, _ configuration: WorkerMonitoring, _ transport: any MonitorTransport,
        queue: JobQueue, logger: Logger,
        carryOut: @escaping @Sendable (MonitorEngine.Effect) -> Void
    ) {
        self.node = node
        self.transport = transport
        self.time = queue.time
        self.logger = logger
        self.metrics = queue.metrics
        self.carryOut = carryOut
        self.state = Locked(
            State(
                engine: MonitorEngine(
                    node, settings, sendsTaskEvents: configuration.sendsTaskEvents, bufferedEvents: configuration.bufferedEvents,
                    startedAt: queue.time.now())))
        let alarm = Alarm(
            queue.time,
            nextDeadline: { [weak self] in self?.state.withLock { $0.engine.nextDeadline } },
            fire: { [weak self] in self?.tick() })
        self.alarm.withLock { $0 = alarm }
    }

    // MARK: What the worker reports

    func isRevoked(_ id: JobID) -> Bool {
        let now = self.time.now()
        return self.state.withLock { $0.engine.isRevoked(id, at: now) }
    }

    /// A job that is not due yet has come, and goes back to the broker.
    func announced(_ message: TaskMessage, _ delivery: Delivery) {
        self.tell(.received(TrackedJob(message, delivery).received))
    }

    func received(_ slot: Slot, _ message: TaskMessage, _ delivery: Delivery) {
        let job = TrackedJob(message, delivery)
        self.report { $0.received(slot, job, at: $1) }
    }

    /// `false` when the job must not run.
    func begins(_ slot: Slot) -> Bool {
        let now = self.time.now()
        return self.report { $0.begins(slot, at: now, $1) }
    }

    /// The worker has tried to take messages from a queue that a watcher has named.
    func tried(_ queue: String, isUsable: Bool) {
        for effect in self.state.withLock({ $0.engine.tried(queue, isUsable: isUsable) }) { self.carryOut(effect) }
    }

    func left(_ slot: Slot) {
        self.state.withLock { $0.engine.left(slot) }
    }

    func succeeded(_ id: JobID, _ result: JSONValue, runtime: Duration) {
        // Not for nobody: a long result takes its time.
        guard self.state.withLock({ $0.engine.sendsTaskEvents }) else { return }
        let text = self.node.showsValues ? PythonText.repr(result) : result.isNull ? "None" : "<hidden>"
        self.report { $0.tell(.succeeded(id, result: text, runtime: runtime), at: $1) }
    }

    func failed(_ id: JobID, _ failure: JobFailure) {
        self.tell(.failed(id, failure.shortened))
    }

    func retried(_ id: JobID, _ failure: JobFailure) {
        self.tell(.retried(id, failure.shortened))
    }

    func tell(_ kind: WorkerEvent.Kind) {
        self.report { $0.tell(kind, at: $1) }
    }

    private func report<Result: Sendable>(_ event: (inout MonitorEngine, UTCTime) -> Result) -> Result {
        let time = self.time.utcNow()
        let (result, hasNews) = self.state.withLock { state in
            let result = event(&state.engine, time)
            return (result, state.link != nil && !state.engine.outbox.isEmpty)
        }
        if hasNews { self.changed.raise() }
        return result
    }

    private func tick() {
        let (now, time) = (self.time.now(), self.time.utcNow())
        self.state.withLock { $0.engine.tick(at: now, time) }
        self.changed.raise()
    }

    func deadlinesChanged() {
        self.alarm.withLock { $0 }?.refresh()
    }
}

extension JobFailure {
    /// What waits to be told is bounded.
    fileprivate var shortened: JobFailure {
        var short = self
        short.type = String(self.type.unicodeScalars.prefix(255))
        short.module = String(self.module.unicodeScalars.prefix(255))
        short.message = String(self.message.unicodeScalars.prefix(1024))
        return short
    }
}
