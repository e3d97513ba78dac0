public import Logging
public import QueueKit
public import ScaleCore

/// Jobs on RabbitMQ, in queues that Celery's workers and clients share.
///
/// ```swift
/// let broker = try RabbitMQBroker("amqp://guest@rabbit-1,rabbit-2//")
/// let queue = JobQueue(broker: broker, results: results)
/// ```
///
/// **Publishing** returns when the server has the message (publisher confirms, persistent, mandatory), and throws when no queue took it.
/// **Consuming**, publishing and questions have connections of their own, so that a server which is out of memory, and blocks those who
/// publish, goes on to be drained.
///
/// **Delivery is at least once.** A retry, a release and a dead letter are published and confirmed before the original is acknowledged: a
/// crash between the two leaves two messages of one id.
///
/// **Delays** are kept by the server, in whole seconds and rounded up, by the queues of Celery's native delayed delivery. They are
/// counted by no queue and purged with none.
///
/// **Monitoring**: a worker with ``Worker/Configuration/monitoring`` is seen by Flower and reached by `celery inspect` and `celery control`,
/// over a connection of its own.
///
/// **Losses** are counted on classic queues in a header that a message gets when it comes back, on quorum queues by RabbitMQ.
public final class RabbitMQBroker: Broker, MonitoredBroker, PrefetchingBroker {
    /// The type with which queues are declared. All who use a queue must agree.
    public enum QueueKind: Hashable, Sendable {
        case classic
        /// Replicated, where there is more than one node.
        case quorum
    }

    /// How the server is used; right when empty.
    public struct Configuration: Sendable {
        public var queueKind = QueueKind.classic
        /// Larger priorities are delivered first, where this is set: the queues' `x-max-priority`, classic queues only.
        public var maximumPriority: Int?
        /// How many messages the server may send ahead of the workers; by default twice what they ask for.
        public var prefetch: Int?
        /// How long messages that were sent ahead wait here while no worker of this process asks for any. Then they go back into their
        /// queue, for others to have, until somebody asks again.
        public var idlePatience: Duration = .seconds(10)
        /// How many published messages may be unconfirmed at a time.
        public var publishWindow = 256
        /// How long a publication may take, a server that blocks or is away included.
        public var publishTimeout: Duration = .seconds(30)
        public var connectTimeout: Duration = .seconds(5)
        /// How long the server may take to answer a question.
        public var answerTimeout: Duration = .seconds(10)
        /// In seconds. A peer that is silent for twice as long is taken for dead.
        public var heartbeat = 30
        /// What the name of a queue's dead letters ends with.
        public var deadLetterSuffix = ".dead"
        /// A file of certificate authorities in PEM format, for `amqps`.
        public var certificateAuthorities = "/etc/ssl/certs/ca-certificates.crt"
        /// How the connections are called in RabbitMQ's management.
        public var connectionName = "ScaleKit"

        public init() {}
    }

    public let capabilities: BrokerCapabilities
    /// The way to Flower and to Celery's remote control, in Celery's exchanges of the same virtual host.
    public let monitorTransport: any MonitorTransport

    private let answerTimeout: Duration
    private let open: @Sendable (_ purpose: String, @escaping AMQPEventHandler) async throws -> AMQPConnection
    private let publisher: ConfirmingPublisher
    private let control: AMQPLink
    private let sender: MessageSender
    private let consumer: Consumer

    /// - Parameters:
    ///   - url: `amqp://`, `amqps://` or `pyamqp://`, with several hosts if the server has them, by kombu's rules for what is absent.
    ///   - logger: hears of lost connections, by names and reasons.
    /// - Throws: `ServiceURLError`. The server is not asked yet.
    public convenience init(
        _ url: String, configuration: Configuration = .init(), time: TimeSource = .system, logger: Logger = Logger(label: "QueueKit")
    ) throws(ServiceURLError) {
        self.init(
            AMQPEndpoint(try ServiceURL(url, schemes: ServiceURL.Scheme.rabbitMQ)), configuration: configuration, time: time, logger: logger
        )
    }

    private init(_ endpoint: AMQPEndpoint, configuration: Configuration, time: TimeSource, logger: Logger) {
        self.capabilities = BrokerCapabilities(isDurable: true, countsDelayed: false)
        self.answerTimeout = configuration.answerTimeout
        let open: @Sendable (String, @escaping AMQPEventHandler) async throws -> AMQPConnection = { purpose, onEvents in
            let options = AMQPConnection.Options(
                name: "\(configuration.connectionName) \(purpose)", connectTimeout: configuration.connectTimeout,
                rpcTimeout: configuration.answerTimeout, heartbeat: min(max(configuration.heartbeat, 1), 65_535),
                certificateAuthorities: configuration.certificateAuthorities)
            return try await AMQPConnection.open(endpoint, options, onEvents: onEvents)
        }
        self.open = open
        self.publisher = ConfirmingPublisher(
            window: configuration.publishWindow, timeout: configuration.publishTimeout, time: time, logger: logger,
            open: { try await open("publish", $0) })
        self.control = AMQPLink { try await open("control", $0) }
        let topology = QueueTopology(
            kind: configuration.queueKind, maximumPriority: configuration.maximumPriority, deadLetterSuffix: configuration.deadLetterSuffix)
        self.monitorTransport = RabbitMQMonitorTransport(
            open: { try await open("monitor", $0) },
            brokerFacts: RabbitMQMonitorTransport.facts(
                of: endpoint, heartbeat: configuration.heartbeat, connectTimeout: configuration.connectTimeout),
            queueArguments: topology.arguments)
        let sender = MessageSender(topology: topology, publisher: self.publisher, control: self.control, time: time)
        self.sender = sender
        self.consumer = Consumer(
            topology: topology,
            configuration: .init(prefetch: configuration.prefetch, patience: max(configuration.idlePatience, .milliseconds(1))), time: time,
            logger: logger, open: { try await open("consume", $0) },
            republish: { try await sender.send($0.message, to: $0.queue, notBefore: nil, losses: $0.losses, isCancellable: true) })
    }

    // MARK: Publishing

    /// A caller that is cancelled while its message has not been sent, as with a server that blocks or is away, gives it up and gets a
    /// `CancellationError`. A message on its way is waited for.
    public func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try QueueName.validate(queue)
        try await self.sender.send(message, to: queue, notBefore: notBefore, losses: 0, isCancellable: true)
    }

    // MARK: Consuming

    public func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        for queue in request.queues { try QueueName.validate(queue) }
        return try await self.consumer.receive(request)
    }

    package func leave(_ queue: String) async {
        await self.consumer.stopConsuming(queue)
    }

    package func fetchLess() async {
        await self.consumer.resetPrefetch()
    }

    public func acknowledge(_ lease: Lease) async throws {
        let item = try self.consumer.settle(lease)
        try await self.consumer.end(lease, item)
    }

    public func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> {
        self.consumer.extend(leases, by: duration)
    }

    public func release(_ lease: Lease) async throws {
        try await self.replace(lease) { item in
            try await self.sender.send(item.message, to: item.queue, notBefore: nil, losses: item.losses)
        }
    }

    public func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        try await self.replace(lease) { item in
            try await self.sender.send(message, to: item.queue, notBefore: notBefore, losses: item.losses)
        }
    }

    public func deadLetter(_ lease: Lease, reason: String) async throws {
        try await self.replace(lease) { item in
            try await self.sender.bury(item.message, from: item.queue, reason: reason)
        }
    }

    /// Publishes what takes a message's place, and then acknowledges it.
    private func replace(_ lease: Lease, _ publish: (DeliveryLedger.Item) async throws -> Void) async throws {
        let item = try self.consumer.settle(lease)
        do {
            try await publish(item)
        } catch {
            self.consumer.resume(lease)
            throw error
        }
        try await self.consumer.end(lease, item)
    }

    // MARK: Looking after queues

    /// ``QueueCounts/delayed`` is always 0: the server does not tell for which queue a message waits. Declares the queue if there is none, as
    /// all that concerns a queue does.
    public func counts(of queue: String) async throws -> QueueCounts {
        try QueueName.validate(queue)
        try await self.sender.declare(queue)
        let topology = self.sender.topology
        let (ready, dead) = try await self.control.run(queue: queue) { connection in
            try await topology.declareDeadLetters(of: queue, on: connection)
            return (
                try await connection.declareQueue(queue, passive: true).messages,
                try await connection.declareQueue(topology.deadLetterQueue(of: queue), passive: true).messages
            )
        }
        let here = self.consumer.counts(of: queue)
        return QueueCounts(ready: ready + here.waiting, leased: here.held, dead: dead)
    }

    public func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.withDeadLetters(of: queue, limit: limit) { contents, connection in
            // Said, and not left to the end of the connection, which a quorum queue is late to notice.
            try await connection.settle(
                contents.compactMap { content in
                    guard case .deliver(let tag, _, _, _, _) = content.head else { return nil }
                    return .giveBack(tag)
                })
            return contents.map { content in
                DeadLetter(
                    queue: queue, message: TransportHeaders.strip(content.message),
                    reason: content.message.headers[TransportHeaders.deadReason]?.stringValue ?? "",
                    at: UTCTime(millisecondsSinceEpoch: content.message.headers[TransportHeaders.deadSince]?.integerValue ?? 0))
            }
        }
    }

    @discardableResult public func redrive(_ queue: String, limit: Int) async throws -> Int {
        try await self.withDeadLetters(of: queue, limit: limit) { contents, connection in
            for content in contents {
                guard case .deliver(let tag, _, _, _, _) = content.head else { continue }
                try await self.sender.send(content.message, to: queue, notBefore: nil, losses: 0)
                try await connection.settle([.acknowledge(tag)])
            }
            return contents.count
        }
    }

    /// Looks through the oldest ten thousand dead letters, which it has in memory at a time.
    @discardableResult public func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> {
        guard !jobs.isEmpty else { return [] }
        return try await self.withDeadLetters(of: queue, limit: 10_000) { contents, connection in
            var found: Set<JobID> = []
            for content in contents {
                guard case .deliver(let tag, _, _, _, _) = content.head else { continue }
                guard let id = TaskMessage.id(of: content.message), jobs.contains(id) else {
                    try await connection.settle([.giveBack(tag)])
                    continue
                }
                try await self.sender.send(content.message, to: queue, notBefore: nil, losses: 0)
                try await connection.settle([.acknowledge(tag)])
                found.insert(id)
            }
            return found
        }
    }

    @discardableResult public func purge(_ queue: String) async throws -> Int {
        try QueueName.validate(queue)
        try await self.sender.declare(queue)
        let purged = try await self.control.run(queue: queue) { try await $0.purge(queue) }
        return purged + (await self.consumer.purge(queue))
    }

    /// Takes the oldest dead letters into hands; those that `body` does not acknowledge go back to their places.
    private func withDeadLetters<Value: Sendable>(
        of queue: String, limit: Int, _ body: ([ContentAssembler.Content], AMQPConnection) async throws -> Value
    ) async throws -> Value {
        let topology = self.sender.topology
        try QueueName.validate(queue)
        let name = topology.deadLetterQueue(of: queue)
        let inbox = Inbox()
        do {
            let connection = try await self.open("dead letters") { inbox.take($0) }
            do {
                try await topology.declareDeadLetters(of: queue, on: connection)
                let present = try await connection.declareQueue(name, passive: true).messages
                if limit > 0 {
                    try await connection.setPrefetch(min(limit, 65_535))
                    try await connection.consume(name, tag: "scalekit-dead-letters")
                    try await inbox.fill(to: limit, atLeast: min(present, limit), within: self.answerTimeout)
                    // Or each one that is settled would bring another one here.
                    try await connection.cancelConsumer("scalekit-dead-letters")
                }
                let value = try await body(Array(inbox.contents.prefix(max(0, limit))), connection)
                await connection.close()
                return value
            } catch {
                await connection.close()
                throw error
            }
        } catch let failure as AMQPFailure {
            throw failure.error(queue: queue)
        }
    }

    /// Gives back what no worker has, and ends all connections; what workers hold goes back into its queues then. Every later call throws ``QueueError/Code/closed``.
    public func shutdown() async {
        await self.shutdown(within: .seconds(3))
    }

    /// ``shutdown()``, with how long messages may take to be given back.
    package func shutdown(within limit: Duration) async {
        await self.consumer.shutdown(within: limit)
        await self.publisher.shutdown()
        await self.control.close()
    }
}

/// What a connection has delivered.
private final class Inbox: Sendable {
    private let state = Locked([ContentAssembler.Content]())

    var contents: [ContentAssembler.Content] { self.state.withLock { $0 } }

    func take(_ events: [AMQPEvent]) {
        let contents = events.compactMap { event in if case .content(let content) = event { content } else { nil } }
        self.state.withLock { $0 += contents }
    }

    /// Returns when `count` are there, or no more come.
    ///
    /// - Parameter least: how many there should be. A queue's own count is late at times, in both directions.
    func fill(to count: Int, atLeast least: Int, within limit: Duration) async throws {
        let deadline = TimeSource.system.now().advanced(by: limit)
        var seen = 0
        var quietSince = TimeSource.system.now()
        while true {
            let (now, present) = (TimeSource.system.now(), self.contents.count)
            if present > seen { (seen, quietSince) = (present, now) }
            let isQuiet = quietSince.duration(to: now) >= .milliseconds(200)
            if present >= count || (present >= least && isQuiet) || now >= deadline { return }
            try await TimeSource.system.sleep(for: .milliseconds(2))
        }
    }
}
