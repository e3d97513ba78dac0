public import QueueKit
public import ScaleCore
public import ScaleTesting

/// What every ``Broker`` must do, as tests to run on one's own. Framework-neutral: they throw.
///
/// ```swift
/// @Test(arguments: BrokerConformance.cases) func `my broker conforms`(_ rule: BrokerConformance.Case) async throws {
///     let time = ManualTime()
///     try await rule.run(on: .init(MyBroker(time: time.source), time: time))
/// }
/// ```
public enum BrokerConformance {
    /// A broker without messages, and the means to let time pass for it.
    public struct Subject: Sendable {
        public let broker: any Broker
        /// UTC as the broker sees it.
        public let utcNow: @Sendable () -> UTCTime
        /// Lets time pass: virtual time for a broker that takes a time source, real time else.
        public let pass: @Sendable (Duration) async throws -> Void
        /// The length of lease that the suite uses.
        public let lease: Duration
        /// How long a call may take that has reason to end, in the machine's own time.
        public let patience: Duration
        /// Whether what time brings, and what is counted, may come a moment later than the call that caused it. On manual time it may not.
        private var mayBeLate = true

        /// A broker for which time passes in the machine's way: what `pass` has brought back is waited for, for `patience` at most.
        public init(
            _ broker: any Broker, utcNow: @escaping @Sendable () -> UTCTime, lease: Duration = .seconds(10),
            patience: Duration = .seconds(30), pass: @escaping @Sendable (Duration) async throws -> Void
        ) {
            self.broker = broker
            self.utcNow = utcNow
            self.pass = pass
            self.lease = lease
            self.patience = patience
        }

        /// A broker on manual time.
        public init(_ broker: any Broker, time: ManualTime, patience: Duration = .seconds(30)) {
            self.init(broker, utcNow: { time.utcNow() }, patience: patience, pass: { await time.advance(by: $0) })
            self.mayBeLate = false
        }
    }

    /// One rule.
    public typealias Case = ConformanceCase<Subject>

    /// All rules.
    public static let cases: [Case] = publishing + leasing + settling + waiting

    /// Runs all rules, each on a fresh subject, and throws one `TestFailure` that lists those that do not hold.
    public static func run(
        file: String = #fileID, line: Int = #line, _ makeSubject: () async throws -> Subject
    ) async throws {
        try await Case.run(self.cases, file: file, line: line, on: makeSubject)
    }
}

extension BrokerConformance.Subject {
    static let queue = "conformance"

    /// A message that is recognized by its number.
    static func message(_ number: Int, priority: Int = 0) -> Message {
        var task = TaskMessage(task: "conformance.task", id: JobID())
        task.arguments = [.integer(Int64(number))]
        task.priority = priority
        return task.message(at: UTCTime(millisecondsSinceEpoch: 0))
    }

    static func number(of message: Message) throws -> Int {
        guard let first = try TaskMessage(message).arguments.first?.integerValue else { throw TestFailure("a message without number") }
        return Int(first)
    }

    func publish(_ number: Int, to queue: String = Self.queue, priority: Int = 0, after delay: Duration? = nil) async throws {
        try await self.broker.publish(
            Self.message(number, priority: priority), to: queue, notBefore: delay.map { self.utcNow().advanced(by: $0) })
    }

    /// What the broker's counts can show of these.
    func visible(_ counts: QueueCounts) -> QueueCounts {
        var counts = counts
        if !self.broker.capabilities.countsDelayed { counts.delayed = 0 }
        return counts
    }

    /// What can be had without waiting.
    func take(_ limit: Int = 1, from queues: [String] = [Self.queue], owner: String = "a") async throws -> [Delivery] {
        try await self.broker.receive(
            ReceiveRequest(queues: queues, limit: limit, lease: self.lease, owner: owner, waits: false))
    }

    func takeOne(owner: String = "a", file: String = #fileID, line: Int = #line) async throws -> Delivery {
        guard self.mayBeLate else {
            return try require(try await self.take(owner: owner).first, "a message was expected", file: file, line: line)
        }
        return try await eventually(within: self.patience, "a message was expected", file: file, line: line) {
            try await self.take(owner: owner).first
        }
    }

    func expectCounts(_ counts: QueueCounts, of queue: String = Self.queue, file: String = #fileID, line: Int = #line) async throws {
        guard self.mayBeLate else {
            return try expectEqual(try await self.broker.counts(of: queue), counts, file: file, line: line)
        }
        try await eventually(within: self.patience, "\(queue): \(counts)", file: file, line: line) {
            try await self.broker.counts(of: queue) == counts
        }
    }

    func expectNothing(file: String = #fileID, line: Int = #line) async throws {
        try expectEqual(try await self.take().count, 0, "no message was expected", file: file, line: line)
    }

    /// Waits for one message in a task of its own.
    func waiting(owner: String = "a") -> PendingCall<[Delivery]> {
        PendingCall("a waiting receive") {
            try await self.broker.receive(
                ReceiveRequest(queues: [Self.queue], limit: 1, lease: self.lease, owner: owner, waits: true))
        }
    }

    /// What a waiting worker got.
    func deliveries(
        _ waiting: PendingCall<[Delivery]>, file: String = #fileID, line: Int = #line
    ) async throws -> [Delivery] {
        try await waiting.value(within: self.patience, file: file, line: line)
    }

    func passLease() async throws {
        try await self.pass(self.lease)
    }

    /// Every word about a lease that has ended must be refused.
    func expectRefused(_ lease: Lease, file: String = #fileID, line: Int = #line) async throws {
        let words: [(String, () async throws -> Void)] = [
            ("acknowledge", { try await self.broker.acknowledge(lease) }),
            ("release", { try await self.broker.release(lease) }),
            ("retry", { try await self.broker.retry(lease, with: Self.message(99), notBefore: nil) }),
            ("deadLetter", { try await self.broker.deadLetter(lease, reason: "late") }),
        ]
        for (name, word) in words {
            let error = try await expectThrows(QueueError.self, "a late \(name)", file: file, line: line) { try await word() }
            try expectEqual(error.code, .staleLease, "a late \(name)", file: file, line: line)
        }
        let ended = try await self.broker.extend([lease], by: self.lease)
        try expectEqual(ended, [lease], "a late extension", file: file, line: line)
    }
}
