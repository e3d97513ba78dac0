internal import ScaleCore

/// What of a worker may change while it runs: as it was configured, and as watchers have changed it since. A value that is handed on as a
/// whole, so that whoever has it has all of one moment.
struct WorkerSettings: Hashable, Sendable {
    /// What takes the place of a task's own limits; `nil` is none.
    struct TimeLimits: Hashable, Sendable {
        var soft: Duration?
        var hard: Duration?
    }

    /// Grows with each change: of two settings the larger one is the later one.
    private(set) var revision: UInt64 = 0
    /// How many jobs run at once; at least 1.
    private(set) var concurrency: Int
    /// From which messages are taken. May be none.
    private(set) var queues: [String]
    /// Queues that somebody wants to be taken from, of which it is not known yet whether that is possible.
    private(set) var candidates: [String] = []
    private(set) var rates: [ExactName: TaskRate] = [:]
    private(set) var timeLimits: [ExactName: TimeLimits] = [:]

    /// To how many slots watchers may let a worker grow.
    static let maximumConcurrency = 10_000
    /// To how many queues watchers may add.
    static let maximumQueues = 256

    init(concurrency: Int, queues: [String]) {
        self.concurrency = max(1, concurrency)
        self.queues = queues
    }

    /// How many jobs may wait here for their turn: four for each slot, which is what Celery's workers fetch ahead.
    var maximumWaiting: Int { 4 * min(self.concurrency, Self.maximumConcurrency) }

    /// Whether messages of a queue are taken, or shall be.
    func includes(_ queue: String) -> Bool {
        self.queues.contains { $0.hasSameBytes(as: queue) } || self.candidates.contains { $0.hasSameBytes(as: queue) }
    }

    func timeLimits(of task: String) -> TimeLimits? {
        self.timeLimits.isEmpty ? nil : self.timeLimits[name: task]
    }
}

// MARK: - Changes

extension WorkerSettings {
    mutating func setConcurrency(_ concurrency: Int) {
        self.concurrency = max(1, concurrency)
        self.revision += 1
    }

    /// `nil`: as many as there are.
    mutating func setRate(_ rate: TaskRate?, of task: String) {
        self.rates[name: task] = rate
        self.revision += 1
    }

    mutating func setTimeLimits(_ limits: TimeLimits, of task: String) {
        self.timeLimits[name: task] = limits
        self.revision += 1
    }

    mutating func propose(_ queue: String) {
        self.candidates.append(queue)
        self.revision += 1
    }

    /// A queue that was proposed was tried. Says whether anybody still wants to know.
    mutating func tried(_ queue: String, isUsable: Bool) -> Bool {
        guard let index = self.candidates.firstIndex(where: { $0.hasSameBytes(as: queue) }) else { return false }
        self.candidates.remove(at: index)
        if isUsable { self.queues.append(queue) }
        self.revision += 1
        return true
    }

    mutating func leave(_ queue: String) {
        self.queues.removeAll { $0.hasSameBytes(as: queue) }
        self.candidates.removeAll { $0.hasSameBytes(as: queue) }
        self.revision += 1
    }
}
