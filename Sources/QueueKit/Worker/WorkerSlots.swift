internal import Logging
internal import ScaleCore

/// The shell around the worker's engine: it holds the lock and the timer, and the tasks that the engine wants cancelled.
///
/// Decisions are the engine's, taken under the lock; tasks are cancelled, outcomes set and the broker called outside of it.
final class WorkerSlots: Sendable {
    typealias Slot = WorkerEngine.Slot

    private struct Running {
        let lease: Lease
        var softLimit: Duration?
        var hardLimit: Duration?
        /// Told when the job need not wait any longer to begin.
        var turn: OneShot<WorkerEngine.Turn>?
        var outcome: OneShot<JobOutcome>?
        var handler: Task<Void, Never>?
        var isCancelled = false
    }

    private struct State {
        var engine: WorkerEngine
        var running: [Slot: Running] = [:]
        var receiving: Task<[Delivery], any Error>?
        var mayReceive = true

        /// Notes something about a job in its place: by `running[slot]?` all of it would be taken out and put back each time.
        mutating func note(_ slot: Slot, _ change: (inout Running) -> Void) {
            guard let place = self.running.index(forKey: slot) else { return }
            change(&self.running.values[place])
        }
    }

    private let broker: any Broker
    private let time: TimeSource
    private let logger: Logger
    private let leaseDuration: Duration
    private let state: Locked<State>
    private let alarm: Locked<Alarm?> = Locked(nil)
    /// Raised when the loop may have something else to do.
    let changed = Signal()

    init(limits: WorkerEngine.Limits, settings: WorkerSettings, broker: any Broker, time: TimeSource, logger: Logger) {
        self.broker = broker
        self.time = time
        self.logger = logger
        self.leaseDuration = limits.lease
        self.state = Locked(State(engine: WorkerEngine(limits: limits, settings: settings)))
        let alarm = Alarm(
            time,
            nextDeadline: { [weak self] in self?.state.withLock { $0.engine.nextDeadline } },
            fire: { [weak self] in self?.tick() })
        self.alarm.withLock { $0 = alarm }
    }

    private func deadlinesChanged() {
        self.alarm.withLock { $0 }?.refresh()
    }

    /// Changes the state, lets those begin whose turn has come by that, and the alarm look again if its time may be another one now.
    @discardableResult private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, turns, concernsAlarm) = self.state.withLock { state in
            let before = state.engine.nextDeadline
            let result = body(&state)
            let turns = self.takeTurns(&state)
            return (result, turns, Alarm.isConcerned(by: before, state.engine.nextDeadline))
        }
        for turn in turns { turn.set(.begin) }
        if concernsAlarm { self.deadlinesChanged() }
        return result
    }

    private func takeTurns(_ state: inout State) -> [OneShot<WorkerEngine.Turn>] {
        guard state.engine.hasWaiting else { return [] }
        return state.engine.takeTurns(at: self.time.now()).compactMap { state.running[$0]?.turn }
    }

    // MARK: The loop

    /// What to do, and by which settings.
    func nextStep() -> (WorkerEngine.Step, WorkerSettings) {
        self.state.withLock { ($0.engine.nextStep(), $0.engine.settings) }
    }

    var settings: WorkerSettings { self.state.withLock { $0.engine.settings } }

    /// Remembers the task that waits for messages, so that a shutdown or other settings than those by which it asks can end the wait.
    func isReceiving(with task: Task<[Delivery], any Error>, by settings: WorkerSettings) {
        let isObsolete = self.state.withLock { state in
            state.receiving = task
            return !state.mayReceive || state.engine.settings.revision != settings.revision
        }
        if isObsolete { task.cancel() }
    }

    func isNotReceiving() {
        self.state.withLock { $0.receiving = nil }
    }

    /// From now on the worker follows these settings. Jobs that run are not touched.
    func apply(_ settings: WorkerSettings) {
        let (old, new, receiving) = self.change { state in
            let old = state.engine.settings
            state.engine.apply(settings)
            return (old, state.engine.settings, state.receiving)
        }
        // It asks for as many, and from where, as was right before.
        receiving?.cancel()
        self.changed.raise()
        guard let broker = self.broker as? any PrefetchingBroker else { return }
        let left = old.queues.filter { !new.includes($0) }
        let isSmaller = new.concurrency < old.concurrency
        guard isSmaller || !left.isEmpty else { return }
        Task {
            for queue in left { await broker.leave(queue) }
            if isSmaller { await broker.fetchLess() }
        }
    }

    func shutdown() {
        let now = self.time.now()
        self.stopReceiving { $0.shutdown(at: now) }
    }

    func shutdownNow() {
        let now = self.time.now()
        self.stopReceiving { $0.shutdownNow(at: now) }
    }

    private func stopReceiving(_ event: (inout WorkerEngine) -> [WorkerEngine.Effect]) {
        let (effects, receiving) = self.state.withLock { state in
            state.mayReceive = false
            return (event(&state.engine), state.receiving)
        }
        receiving?.cancel()
        self.perform(effects)
        self.changed.raise()
        self.deadlinesChanged()
    }

    // MARK: A job's way

    func admit(_ lease: Lease) -> Slot? {
        let now = self.time.now()
        return self.change { state in
            guard let slot = state.engine.admit(at: now) else { return nil }
            state.running[slot] = Running(lease: lease)
            return slot
        }
    }

    /// Returns when a job of this task may begin, or shall not.
    func turn(_ slot: Slot, of task: String) async -> WorkerEngine.Turn {
        let now = self.time.now()
        let (answer, later) = self.change { state -> (WorkerEngine.Turn, OneShot<WorkerEngine.Turn>?) in
            let answer = state.engine.askForTurn(slot, of: task, at: now)
            guard answer == .wait else { return (answer, nil) }
            let later = OneShot<WorkerEngine.Turn>()
            state.note(slot) { $0.turn = later }
            return (answer, later)
        }
        guard let later else { return answer }
        // It holds no slot any more.
        self.changed.raise()
        return await later.value()
    }

    /// Runs `handler` in a task that limits, shutdown and the loss of the lease can cancel, and returns how it ended, or was given up.
    ///
    /// - Parameters:
    ///   - own: the limits that the message brings, which hold before all others.
    ///   - defaults: those of the task, where watchers have given it none.
    func run(
        _ slot: Slot, of task: String, own: WorkerSettings.TimeLimits, defaults: WorkerSettings.TimeLimits,
        _ handler: @escaping @Sendable () async throws -> JSONValue
    ) async -> JobOutcome {
        let outcome = OneShot<JobOutcome>()
        let now = self.time.now()
        let (mayRun, softLimit) = self.change { state -> (Bool, Duration?) in
            let limits = state.engine.settings.timeLimits(of: task) ?? defaults
            let (softLimit, hardLimit) = (own.soft ?? limits.soft, own.hard ?? limits.hard)
            guard state.engine.handlerStarts(slot, softLimit: softLimit, hardLimit: hardLimit, at: now) else { return (false, nil) }
            state.note(slot) { running in
                running.softLimit = softLimit
                running.hardLimit = hardLimit
                running.outcome = outcome
            }
            return (true, softLimit)
        }
        guard mayRun else {
            return self.holdsLease(slot) ? .interrupted : .lostLease
        }
        let task = Task {
            let result: Result<JSONValue, any Error>
            do { result = .success(try await handler()) } catch { result = .failure(error) }
            let cancellation = self.handlerEnded(slot)
            outcome.set(Self.outcome(of: result, cancellation, softLimit: softLimit))
        }
        let isCancelled = self.state.withLock { state in
            var isCancelled = false
            state.note(slot) { running in
                running.handler = task
                isCancelled = running.isCancelled
            }
            return isCancelled
        }
        if isCancelled { task.cancel() }
        return await outcome.value()
    }

    private static func outcome(
        of result: Result<JSONValue, any Error>, _ cancellation: WorkerEngine.Cancellation?, softLimit: Duration?
    ) -> JobOutcome {
        switch (result, cancellation) {
        case (_, .lease): .lostLease
        case (.success(let value), _): .returned(value)
        case (.failure, .shutdown): .interrupted
        case (.failure, .revocation): .revoked
        case (.failure(let error), .softLimit): .exceededSoftLimit(softLimit ?? .zero, error)
        case (.failure(let error), nil): .threw(error)
        }
    }

    private func handlerEnded(_ slot: Slot) -> WorkerEngine.Cancellation? {
        let cancellation = self.change { state in
            state.note(slot) { $0.handler = nil }
            return state.engine.handlerEnded(slot)
        }
        self.changed.raise()
        return cancellation
    }

    /// Ends jobs that were called off: their handlers are cancelled, and not waited for.
    func revoke(_ slots: [Slot]) {
        self.perform(self.state.withLock { state in slots.compactMap { state.engine.revoke($0) } })
        self.deadlinesChanged()
    }

    func holdsLease(_ slot: Slot) -> Bool {
        let now = self.time.now()
        return self.state.withLock { $0.engine.holdsLease(slot, at: now) }
    }

    func settled(_ slot: Slot) {
        self.change { state in
            state.engine.settled(slot)
            state.running[slot] = nil
        }
        self.changed.raise()
    }

    // MARK: Time

    private func tick() {
        let now = self.time.now()
        self.perform(self.change { $0.engine.tick(at: now) })
        self.changed.raise()
    }

    private func perform(_ effects: [WorkerEngine.Effect]) {
        for effect in effects {
            switch effect {
            case .extend(let slots): self.extend(slots)
            case .cancelAtSoftLimit(let slot), .cancelForShutdown(let slot): self.cancelHandler(slot)
            case .giveUpAtHardLimit(let slot): self.giveUp(slot) { .exceededHardLimit($0.hardLimit ?? .zero) }
            case .giveUpLease(let slot):
                self.answer(slot, .lost)
                self.giveUp(slot) { _ in .lostLease }
            case .giveBack(let slot): self.answer(slot, .giveBack)
            case .giveUpRevoked(let slot): self.giveUp(slot) { _ in .revoked }
            }
        }
    }

    /// Tells a job that waits for its turn that there is none.
    private func answer(_ slot: Slot, _ turn: WorkerEngine.Turn) {
        self.state.withLock { $0.running[slot]?.turn }?.set(turn)
    }

    private func cancelHandler(_ slot: Slot) {
        let handler = self.state.withLock { state in
            state.running[slot]?.isCancelled = true
            return state.running[slot]?.handler
        }
        handler?.cancel()
    }

    private func giveUp(_ slot: Slot, _ outcome: (Running) -> JobOutcome) {
        let running = self.state.withLock { state in
            state.running[slot]?.isCancelled = true
            return state.running[slot]
        }
        guard let running else { return }
        running.outcome?.set(outcome(running))
        running.handler?.cancel()
    }

    private func extend(_ slots: [Slot]) {
        let leases = self.state.withLock { state in
            slots.compactMap { slot in state.running[slot].map { (slot, $0.lease) } }
        }
        guard !leases.isEmpty else { return }
        Task {
            let requested = self.time.now()
            do {
                let refused = try await self.broker.extend(leases.map(\.1), by: self.leaseDuration)
                self.wereExtended(leases, except: refused, requestedAt: requested)
            } catch {
                // The next third of the lease brings another try; without success the lease counts as lost at its end.
                self.logger.error("cannot extend leases", metadata: ["error": "\(Worker.describe(error))"])
            }
        }
    }

    private func wereExtended(_ leases: [(Slot, Lease)], except refused: Set<Lease>, requestedAt requested: Instant) {
        let effects = self.state.withLock { state in
            var effects: [WorkerEngine.Effect] = []
            for (slot, lease) in leases {
                if refused.contains(lease) {
                    if let effect = state.engine.leaseRefused(slot) { effects.append(effect) }
                } else {
                    state.engine.extended(slot, requestedAt: requested)
                }
            }
            return effects
        }
        self.perform(effects)
        self.deadlinesChanged()
    }
}
