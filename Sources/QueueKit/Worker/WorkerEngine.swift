internal import ScaleCore

/// The rules of a worker: how many jobs run at once, when leases are extended and when they count as lost, when time limits pass,
/// and how a shutdown proceeds. A value: the shell reports what happened and carries out what is asked.
///
/// A job holds a slot from the moment its message arrives until its fate is settled *and* its handler has ended. A handler that ignores
/// its cancellation after the hard limit therefore keeps its slot: the number of handlers that run never exceeds the concurrency, but for
/// those that ran already when it was lowered.
///
/// A job whose turn has not come, because its task's rate does not allow it or more messages came than there are slots now, waits in a
/// line and holds none.
struct WorkerEngine {
    /// Identifies a delivery within this worker.
    typealias Slot = UInt64

    struct Limits {
        /// How long a lease lasts.
        var lease: Duration
        /// How long jobs may go on after shutdown has begun.
        var grace: Duration
        /// How long handlers may take to react to their cancellation after that.
        var cancellationGrace: Duration
        /// How long a job waits here for its turn. Then it goes back to the broker, and comes again: a broker may take a message that is
        /// held for too long for lost, as RabbitMQ does after half an hour.
        var longestWait: Duration = .seconds(600)
    }

    enum Phase: Hashable {
        case running
        /// No more messages; jobs go on until the end of the grace.
        case draining(until: Instant)
        /// Handlers are cancelled and have until then to end.
        case cancelling(until: Instant)
        /// Whoever has not ended is left behind; its lease will end.
        case stopped
    }

    /// What the shell shall do when time has passed.
    enum Effect: Hashable {
        case extend([Slot])
        case cancelAtSoftLimit(Slot)
        case giveUpAtHardLimit(Slot)
        case giveUpLease(Slot)
        case giveUpRevoked(Slot)
        case cancelForShutdown(Slot)
        /// Give a job that waits for its turn back to the broker.
        case giveBack(Slot)
    }

    /// What becomes of a job that may begin, as far as it is concerned.
    enum Turn: Hashable {
        case begin
        case wait
        case giveBack
        /// It is somebody else's.
        case lost
    }

    /// What the worker's loop shall do next.
    enum Step: Hashable {
        case receive(limit: Int)
        /// See whether messages can be taken from this queue.
        case tryQueue(String)
        case wait
        case stop
    }

    /// Why a handler's task was cancelled.
    enum Cancellation: Hashable {
        case softLimit
        case shutdown
        case lease
        case revocation
    }

    private enum Stage {
        case arrived
        /// In the line of its task, at most until then.
        case waiting(until: Instant)
        case begun
    }

    private struct Job {
        var stage = Stage.arrived
        var leaseEnds: Instant
        var nextExtension: Instant
        var softLimit: Instant?
        var hardLimit: Instant?
        var cancellation: Cancellation?
        var handlerRuns = false
        var isSettled = false
        /// Whether the message is, as far as is known, this worker's.
        var holdsLease = true

        /// When there is something to do about this job.
        var deadline: Instant? {
            let lease = self.holdsLease && !self.isSettled ? min(self.nextExtension, self.leaseEnds) : .distantFuture
            let earliest = min(lease, self.softLimit ?? .distantFuture, self.hardLimit ?? .distantFuture, self.waitEnds ?? .distantFuture)
            return earliest == .distantFuture ? nil : earliest
        }

        var waitEnds: Instant? { if case .waiting(let until) = self.stage { until } else { nil } }

        /// Nothing that lies before `now` is ahead any more.
        mutating func passed(_ now: Instant, nextExtension: Instant) {
            if self.nextExtension <= now { self.nextExtension = nextExtension }
            if let limit = self.hardLimit, limit <= now {
                self.hardLimit = nil
                self.softLimit = nil
            } else if let limit = self.softLimit, limit <= now {
                self.softLimit = nil
                self.cancellation = self.cancellation ?? .softLimit
            }
        }
    }

    private let limits: Limits
    private(set) var settings: WorkerSettings
    private(set) var phase = Phase.running
    private var jobs: [Slot: Job] = [:]
    private var waiting = WaitingJobs()
    /// How many of the jobs have begun.
    private var begun = 0
    /// Those of the jobs, each as ``change(_:_:)`` has left it.
    private var deadlines = Deadlines()
    private var lastSlot: Slot = 0

    init(limits: Limits, settings: WorkerSettings) {
        self.limits = limits
        self.settings = settings
        self.waiting.setRates(settings.rates)
    }

    var occupiedSlots: Int { self.jobs.count - self.waiting.count }

    func nextStep() -> Step {
        switch self.phase {
        case .running:
            if let queue = self.settings.candidates.first { return .tryQueue(queue) }
            let free = self.settings.concurrency - self.occupiedSlots
            // All that comes may have to wait.
            let limit = min(free, self.settings.maximumWaiting - self.waiting.count)
            return limit > 0 && !self.settings.queues.isEmpty ? .receive(limit: limit) : .wait
        case .draining, .cancelling: return self.jobs.isEmpty ? .stop : .wait
        case .stopped: return .stop
        }
    }

    /// A message has arrived: its slot, or `nil` when it is to be given back because the worker is shutting down.
    mutating func admit(at now: Instant) -> Slot? {
        switch self.phase {
        case .running:
            self.lastSlot += 1
            let job = Job(leaseEnds: self.leaseEnd(from: now), nextExtension: self.extensionTime(from: now))
            self.jobs[self.lastSlot] = job
            if let deadline = job.deadline { self.deadlines.set(deadline, for: self.lastSlot) }
            return self.lastSlot
        case .draining, .cancelling, .stopped:
            return nil
        }
    }

    /// Other settings hold, unless they are older than those that do.
    mutating func apply(_ settings: WorkerSettings) {
        guard settings.revision > self.settings.revision else { return }
        self.settings = settings
        self.waiting.setRates(settings.rates)
    }

    /// A job of this task is ready to run. One that waits is told of its turn by ``takeTurns(at:)``, or that there is none by an effect.
    mutating func askForTurn(_ slot: Slot, of task: String, at now: Instant) -> Turn {
        guard self.holdsLease(slot, at: now) else { return .lost }
        let task = ExactName(task)
        if self.begun < self.settings.concurrency, !self.waiting.hasLine(of: task), self.waiting.takeTurn(of: task, at: now) {
            self.begin(slot)
            return .begin
        }
        guard self.phase == .running else { return .giveBack }
        self.waiting.add(slot, of: task)
        let end = now.advanced(by: self.limits.longestWait)
        self.change(slot) { $0.stage = .waiting(until: end) }
        return .wait
    }

    /// Those that waited and whose turn it is, first come first, as far as slots are free and their tasks' rates allow it.
    mutating func takeTurns(at now: Instant) -> [Slot] {
        var slots: [Slot] = []
        while self.begun < self.settings.concurrency, let slot = self.waiting.next(at: now) {
            self.begin(slot)
            slots.append(slot)
        }
        return slots
    }

    var hasWaiting: Bool { self.waiting.count > 0 }

    private mutating func begin(_ slot: Slot) {
        self.begun += 1
        self.change(slot) { $0.stage = .begun }
    }

    /// The handler is about to run: `false` when it must not, since the lease is lost or the shutdown's grace is over.
    mutating func handlerStarts(_ slot: Slot, softLimit: Duration?, hardLimit: Duration?, at now: Instant) -> Bool {
        guard self.holdsLease(slot, at: now) else { return false }
        switch self.phase {
        case .running, .draining: break
        case .cancelling, .stopped: return false
        }
        self.change(slot) { job in
            job.softLimit = softLimit.map(now.advanced(by:))
            job.hardLimit = hardLimit.map(now.advanced(by:))
            job.handlerRuns = true
        }
        return true
    }

    /// The handler has ended, in whatever way. Says why its task was cancelled, if it was.
    mutating func handlerEnded(_ slot: Slot) -> Cancellation? {
        let cancellation = self.jobs[slot]?.cancellation
        self.change(slot) { job in
            job.handlerRuns = false
            job.softLimit = nil
            job.hardLimit = nil
        }
        return cancellation
    }

    /// Whether the worker may still speak for the message. When its own reckoning says no, the broker must be asked first.
    func holdsLease(_ slot: Slot, at now: Instant) -> Bool {
        guard let job = self.jobs[slot] else { return false }
        return job.holdsLease && now < job.leaseEnds
    }

    /// The message's fate has been told to the broker, or it is somebody else's.
    mutating func settled(_ slot: Slot) {
        self.change(slot) { $0.isSettled = true }
    }

    /// The broker has prolonged a lease; `requested` is when it was asked.
    mutating func extended(_ slot: Slot, requestedAt requested: Instant) {
        let end = self.leaseEnd(from: requested)
        self.change(slot) { $0.leaseEnds = end }
    }

    /// The broker says that a lease has ended.
    mutating func leaseRefused(_ slot: Slot) -> Effect? {
        guard self.jobs[slot]?.isSettled == false, self.jobs[slot]?.holdsLease == true else { return nil }
        return self.loseLease(slot)
    }

    /// Somebody called a job off while its handler runs.
    mutating func revoke(_ slot: Slot) -> Effect? {
        guard let job = self.jobs[slot], job.handlerRuns, job.holdsLease, !job.isSettled else { return nil }
        self.change(slot) { job in
            job.softLimit = nil
            job.hardLimit = nil
            job.cancellation = .revocation
        }
        return .giveUpRevoked(slot)
    }

    mutating func shutdown(at now: Instant) -> [Effect] {
        switch self.phase {
        case .running:
            self.phase = .draining(until: now.advanced(by: self.limits.grace))
            return self.giveWaitingBack()
        case .draining, .cancelling, .stopped: return []
        }
    }

    /// Shutdown without grace: the worker's own task was cancelled.
    mutating func shutdownNow(at now: Instant) -> [Effect] {
        switch self.phase {
        case .running, .draining:
            self.phase = .draining(until: now)
            return self.giveWaitingBack() + self.tick(at: now)
        case .cancelling, .stopped:
            return []
        }
    }

    /// When ``tick(at:)`` has something to do; `nil` for a worker at rest, and for one that has stopped: what it left behind is nobody's
    /// any more, and its leases shall end.
    var nextDeadline: Instant? {
        guard !self.jobs.isEmpty, self.phase != .stopped else { return nil }
        let ofJobs = self.deadlines.earliest
        switch self.phase {
        case .stopped: return ofJobs
        case .running:
            // While no slot is free nobody's turn comes by time alone.
            guard self.waiting.count > 0, self.begun < self.settings.concurrency, let turn = self.waiting.earliest else { return ofJobs }
            return ofJobs.map { min($0, turn) } ?? turn
        case .draining(let until), .cancelling(let until): return ofJobs.map { min($0, until) } ?? until
        }
    }

    /// Time has passed.
    mutating func tick(at now: Instant) -> [Effect] {
        guard self.phase != .stopped else { return [] }
        var effects: [Effect] = []
        var extensions: [Slot] = []
        let nextExtension = self.extensionTime(from: now)
        for slot in self.deadlines.takeEnded(at: now).sorted() {
            guard let job = self.jobs[slot] else { continue }
            if job.holdsLease, !job.isSettled, job.leaseEnds <= now {
                effects.append(self.loseLease(slot))
                continue
            }
            if let end = job.waitEnds, end <= now {
                effects.append(self.giveBack(slot))
                continue
            }
            if job.holdsLease, !job.isSettled, job.nextExtension <= now { extensions.append(slot) }
            if let limit = job.hardLimit, limit <= now {
                effects.append(.giveUpAtHardLimit(slot))
            } else if let limit = job.softLimit, limit <= now {
                effects.append(.cancelAtSoftLimit(slot))
            }
            self.change(slot) { $0.passed(now, nextExtension: nextExtension) }
        }
        if !extensions.isEmpty { effects.append(.extend(extensions)) }
        self.advancePhase(at: now, &effects)
        return effects
    }

    private mutating func giveWaitingBack() -> [Effect] {
        self.waiting.removeAll().map { self.giveBack($0) }
    }

    private mutating func giveBack(_ slot: Slot) -> Effect {
        self.waiting.remove(slot)
        self.change(slot) { $0.stage = .arrived }
        return .giveBack(slot)
    }

    private mutating func advancePhase(at now: Instant, _ effects: inout [Effect]) {
        switch self.phase {
        case .draining(let until) where until <= now:
            self.phase = .cancelling(until: now.advanced(by: self.limits.cancellationGrace))
            for slot in self.jobs.keys.sorted() {
                guard self.jobs[slot]?.handlerRuns == true else { continue }
                self.change(slot) { $0.cancellation = $0.cancellation ?? .shutdown }
                effects.append(.cancelForShutdown(slot))
            }
        case .cancelling(let until) where until <= now:
            self.phase = .stopped
        case .running, .draining, .cancelling, .stopped:
            break
        }
    }

    private mutating func loseLease(_ slot: Slot) -> Effect {
        self.waiting.remove(slot)
        self.change(slot) { job in
            if case .waiting = job.stage { job.stage = .arrived }
            job.holdsLease = false
            job.softLimit = nil
            job.hardLimit = nil
            job.cancellation = .lease
        }
        return .giveUpLease(slot)
    }

    /// The one way in which a job changes: its deadline follows, and it ends when it is settled and its handler has ended.
    private mutating func change(_ slot: Slot, _ body: (inout Job) -> Void) {
        guard let place = self.jobs.index(forKey: slot) else { return }
        let before = self.jobs.values[place].deadline
        body(&self.jobs.values[place])
        let job = self.jobs.values[place]
        if job.isSettled, !job.handlerRuns {
            switch job.stage {
            case .arrived: break
            case .waiting: self.waiting.remove(slot)
            case .begun: self.begun -= 1
            }
            self.jobs.remove(at: place)
            self.deadlines.remove(slot)
        } else if let deadline = job.deadline {
            if deadline != before { self.deadlines.set(deadline, for: slot) }
        } else {
            self.deadlines.remove(slot)
        }
    }

    /// A tenth is taken off: the broker's count began a little earlier than this worker's.
    private func leaseEnd(from start: Instant) -> Instant {
        start.advanced(by: self.limits.lease / 10 * 9)
    }

    private func extensionTime(from start: Instant) -> Instant {
        start.advanced(by: self.limits.lease / 3)
    }
}
