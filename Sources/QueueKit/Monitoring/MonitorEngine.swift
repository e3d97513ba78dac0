internal import ScaleCore

/// What a worker's watchers see and what they may do. A value: the worker reports what happens to its jobs, requests come in, and out
/// come messages to publish and what the worker shall do.
struct MonitorEngine: Sendable {
    typealias Slot = WorkerEngine.Slot

    /// What the worker shall do because somebody said so.
    enum Effect: Hashable, Sendable {
        /// End the handlers of these jobs: they are revoked.
        case terminate([Slot])
        /// Take no more jobs, finish those that run, and end.
        case shutdown
        /// Work by these settings from now on.
        case apply(WorkerSettings)
    }

    private enum Link {
        case down
        case up
        /// The server takes nothing for now.
        case blocked
    }

    let node: MonitorNode
    /// By which the worker works: it is told of each change.
    var settings: WorkerSettings
    private let started: Instant
    private var link = Link.down
    private var nextHeartbeat: Instant?
    private var isOffline = false
    var clock = LamportClock()
    private(set) var sendsTaskEvents: Bool
    var outbox: MonitorOutbox
    private(set) var jobs: [Slot: TrackedJob] = [:]
    var revoked = RevokedJobs()
    /// How many jobs of each task have begun. Only tasks that are registered.
    private(set) var totals: [ExactName: Int] = [:]
    private var processed = 0

    init(
        _ node: MonitorNode, _ settings: WorkerSettings, sendsTaskEvents: Bool = true, bufferedEvents: Int = 4096,
        startedAt started: Instant
    ) {
        self.node = node
        self.settings = settings
        self.sendsTaskEvents = sendsTaskEvents
        self.outbox = MonitorOutbox(capacity: bufferedEvents)
        self.started = started
    }

    var load: WorkerLoad {
        WorkerLoad(active: self.jobs.values.count { $0.started != nil }, processed: self.processed)
    }

    func uptime(at now: Instant) -> Duration { self.started.duration(to: now) }

    /// The present logical time.
    var clockTime: Int64 { self.clock.time }

    mutating func setTaskEvents(_ isOn: Bool) {
        self.sendsTaskEvents = isOn
    }
}

// MARK: - What the worker reports

extension MonitorEngine {
    /// Whether a job must not run.
    mutating func isRevoked(_ id: JobID, at now: Instant) -> Bool {
        self.revoked.contains(id, at: now)
    }

    mutating func received(_ slot: Slot, _ job: TrackedJob, at time: UTCTime) {
        self.jobs[slot] = job
        self.tell(.received(job.received), at: time)
    }

    /// A job's handler is about to begin: `false` when it must not, since the job was revoked meanwhile.
    mutating func begins(_ slot: Slot, at now: Instant, _ time: UTCTime) -> Bool {
        guard let job = self.jobs[slot] else { return true }
        if self.revoked.contains(job.message.id, at: now) { return false }
        self.jobs[slot]?.started = time
        self.totals[ExactName(job.message.task), default: 0] += 1
        self.processed += 1
        self.tell(.started(job.message.id), at: time)
        return true
    }

    /// A job has come to its end here.
    mutating func left(_ slot: Slot) {
        self.jobs[slot] = nil
    }

    /// An event of a job, if somebody wants to know.
    mutating func tell(_ kind: @autoclosure () -> WorkerEvent.Kind, at time: UTCTime) {
        guard self.sendsTaskEvents else { return }
        self.outbox.add(WorkerEvent(kind: kind(), time: time, clock: self.clock.advance()))
    }
}

// MARK: - The link

extension MonitorEngine {
    /// A link is open: the worker announces itself.
    mutating func connected(at now: Instant, _ time: UTCTime) {
        self.link = .up
        self.announce(WorkerEvent.Kind.online, at: time)
        self.sayHello(at: now)
        self.nextHeartbeat = now.advanced(by: self.node.heartbeat)
    }

    mutating func blocked() {
        if case .up = self.link { self.link = .blocked }
    }

    mutating func unblocked() {
        if case .blocked = self.link { self.link = .up }
    }

    mutating func disconnected() {
        self.link = .down
        self.nextHeartbeat = nil
        self.outbox.forgetAnswers()
    }

    /// The worker has ended; nothing follows.
    mutating func goesOffline(at time: UTCTime) {
        self.announce(WorkerEvent.Kind.offline, at: time)
        self.isOffline = true
        self.nextHeartbeat = nil
    }

    /// When ``tick(at:_:)`` has something to do.
    var nextDeadline: Instant? { self.nextHeartbeat }

    mutating func tick(at now: Instant, _ time: UTCTime) {
        guard let due = self.nextHeartbeat, due <= now else { return }
        self.nextHeartbeat = now.advanced(by: self.node.heartbeat)
        self.beat(at: time)
    }

    /// A heartbeat out of turn.
    mutating func beat(at time: UTCTime) {
        self.announce(WorkerEvent.Kind.heartbeat, at: time)
    }

    private mutating func announce(_ kind: (WorkerLoad) -> WorkerEvent.Kind, at time: UTCTime) {
        guard !self.isOffline else { return }
        self.outbox.set(WorkerEvent(kind: kind(self.load), time: time, clock: self.clock.advance()))
    }

    /// What is to be published now; nothing while the link takes nothing.
    mutating func nextBatch() -> [MonitorOutbox.Item] {
        guard case .up = self.link else { return [] }
        return self.outbox.next()
    }

    mutating func lost(_ items: [MonitorOutbox.Item]) {
        self.outbox.lost(items)
    }
}

// MARK: - Requests

extension MonitorEngine {
    /// A request of the mailbox, for this node or others.
    mutating func request(_ request: ControlRequest, _ sample: ProcessSample, at now: Instant, _ time: UTCTime) -> [Effect] {
        if let seen = request.clock { self.clock.see(seen) }
        guard !self.isOffline, request.isFor(self.node.address.node) else { return [] }
        let outcome = self.carryOut(request, sample, at: now, time)
        if let answer = outcome.answer, let target = request.replyTarget,
            target.exchange.isEmpty || target.exchange.hasSameBytes(as: self.node.address.replyExchange)
        {
            self.outbox.add(self.node.publication(of: answer, to: target, clock: self.clock.advance()))
        }
        return outcome.effects
    }
}
