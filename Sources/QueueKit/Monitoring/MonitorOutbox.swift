internal import DequeModule

/// What waits to be published, within bounds: events of jobs, the oldest of which go when there are too many, and answers, of which no more
/// are taken then. States of the worker itself do not queue up: of them there is the last.
struct MonitorOutbox: Sendable {
    enum Item: Hashable, Sendable {
        case worker(WorkerEvent)
        /// Events of jobs, for one message.
        case jobs([WorkerEvent])
        /// An answer, or a question of this worker's own.
        case answer(MonitorPublication)
    }

    /// As many as Celery puts into one message.
    static let eventsPerMessage = 24
    /// What an answer takes beside its body: names, headers, the places that they are kept in.
    static let answerOverhead = 1024

    private let capacity: Int
    private let answerBytes: Int
    private var jobs: Deque<WorkerEvent> = []
    private var worker: WorkerEvent?
    private var answers: Deque<MonitorPublication> = []
    private var bytes = 0
    /// How many events and answers were dropped so far.
    private(set) var dropped = 0

    /// - Parameters:
    ///   - capacity: how many events may wait.
    ///   - answerBytes: how many bytes of answers may wait, what each takes beside its body included.
    init(capacity: Int, answerBytes: Int = 8 << 20) {
        self.capacity = max(1, capacity)
        self.answerBytes = answerBytes
    }

    var isEmpty: Bool { self.jobs.isEmpty && self.worker == nil && self.answers.isEmpty }

    /// An event of a job.
    mutating func add(_ event: WorkerEvent) {
        if self.jobs.count >= self.capacity {
            self.jobs.removeFirst()
            self.dropped += 1
        }
        self.jobs.append(event)
    }

    /// An event of the worker itself.
    mutating func set(_ event: WorkerEvent) {
        self.worker = event
    }

    mutating func add(_ answer: MonitorPublication) {
        let cost = Self.cost(of: answer)
        guard self.bytes + cost <= self.answerBytes else {
            self.dropped += 1
            return
        }
        self.bytes += cost
        self.answers.append(answer)
    }

    private static func cost(of answer: MonitorPublication) -> Int { answer.message.body.count + Self.answerOverhead }

    /// Answers are for those who were there before the link was lost.
    mutating func forgetAnswers() {
        self.dropped += self.answers.count
        self.answers = []
        self.bytes = 0
    }

    /// What could not be published after it was taken from here.
    mutating func lost(_ items: [Item]) {
        for item in items {
            switch item {
            case .worker: break
            case .jobs(let events): self.dropped += events.count
            case .answer: self.dropped += 1
            }
        }
    }

    /// The next things to publish, each a message. An offline worker says so last, every other state comes first.
    mutating func next(limit: Int = 16) -> [Item] {
        var items: [Item] = []
        if let event = self.worker, !event.isOffline { items.append(.worker(event)) }
        while items.count < limit, let answer = self.answers.popFirst() {
            self.bytes -= Self.cost(of: answer)
            items.append(.answer(answer))
        }
        while items.count < limit, !self.jobs.isEmpty {
            let count = min(self.jobs.count, Self.eventsPerMessage)
            items.append(.jobs(Array(self.jobs.prefix(count))))
            self.jobs.removeFirst(count)
        }
        if let event = self.worker {
            guard event.isOffline else {
                self.worker = nil
                return items
            }
            if items.count < limit {
                items.append(.worker(event))
                self.worker = nil
            }
        }
        return items
    }
}

extension WorkerEvent {
    fileprivate var isOffline: Bool { if case .offline = self.kind { true } else { false } }
}
