internal import DequeModule
internal import ScaleCore

/// The jobs of a worker that have come and may not begin yet, in a line for each task; and how often jobs of a task may begin. A value.
///
/// The limit is a token bucket that holds one token, as Celery's: a job takes it when it begins, and the next one is there after the rate's
/// interval. Unused time is not saved up.
struct WaitingJobs: Sendable {
    typealias Slot = WorkerEngine.Slot

    private var lines: [ExactName: Deque<Slot>] = [:]
    private var tasks: [Slot: ExactName] = [:]
    private var rates: [ExactName: TaskRate] = [:]
    /// When a job of a task last began, of those whose rate is limited.
    private var lastTurns: [ExactName: Instant] = [:]

    var count: Int { self.tasks.count }

    func hasLine(of task: ExactName) -> Bool { self.lines[task] != nil }

    /// Those that wait are subject to the new rates as well; when a job of their task last began still counts.
    mutating func setRates(_ rates: [ExactName: TaskRate]) {
        self.rates = rates
        self.lastTurns = self.lastTurns.filter { rates[$0.key] != nil }
    }

    /// Takes a task's token, if it is there. Always, where there is no limit.
    mutating func takeTurn(of task: ExactName, at now: Instant) -> Bool {
        if self.rates.isEmpty { return true }
        guard self.opening(of: task) <= now else { return false }
        if self.rates[task] != nil { self.lastTurns[task] = now }
        return true
    }

    private func opening(of task: ExactName) -> Instant {
        guard let rate = self.rates[task], let last = self.lastTurns[task] else { return Instant(nanoseconds: .min) }
        return last.advanced(by: rate.interval)
    }

    mutating func add(_ slot: Slot, of task: ExactName) {
        self.lines[task, default: []].append(slot)
        self.tasks[slot] = task
    }

    /// Takes a job out of its line. Linear in its distance from the front: those that have waited too long go from there.
    mutating func remove(_ slot: Slot) {
        guard let task = self.tasks.removeValue(forKey: slot) else { return }
        if let place = self.lines[task]?.firstIndex(of: slot) { self.lines[task]?.remove(at: place) }
        if self.lines[task]?.isEmpty == true { self.lines[task] = nil }
    }

    /// The jobs that wait, in the order in which they came, and none afterwards.
    mutating func removeAll() -> [Slot] {
        defer {
            self.lines = [:]
            self.tasks = [:]
        }
        return self.tasks.keys.sorted()
    }

    /// When the first of the lines moves, if a slot is free. Linear in the number of tasks that wait.
    var earliest: Instant? {
        var earliest: Instant?
        for task in self.lines.keys { earliest = min(earliest ?? .distantFuture, self.opening(of: task)) }
        return earliest
    }

    /// Takes out the job that has waited longest of those that may begin, and its task's token with it.
    mutating func next(at now: Instant) -> Slot? {
        var oldest: (slot: Slot, task: ExactName)?
        for (task, line) in self.lines where self.opening(of: task) <= now {
            if let first = line.first, first < oldest?.slot ?? .max { oldest = (first, task) }
        }
        guard let oldest, self.takeTurn(of: oldest.task, at: now) else { return nil }
        self.tasks[oldest.slot] = nil
        self.lines[oldest.task]?.removeFirst()
        if self.lines[oldest.task]?.isEmpty == true { self.lines[oldest.task] = nil }
        return oldest.slot
    }
}
