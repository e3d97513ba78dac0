public import Logging
public import Metrics
public import ScaleCore
public import ServiceLifecycle

/// Moves messages from one broker to another: from the outbox that a program writes within its own transactions to the broker of the
/// workers.
///
/// ```swift
/// try await database.write { db in                                     // SQLite: both or neither
///     try order.insert(db)
///     try outbox.enqueue(ShipOrder(id: order.id), in: db)
/// }
/// let relay = OutboxRelay(from: SQLiteBroker(database), to: rabbitMQ, queues: ["orders"])
/// try await relay.run()
/// ```
///
/// A message is published to the queue of the same name under its own id, as it is, and acknowledged at its source after the destination
/// has confirmed it.
///
/// **None is lost.** What the destination will never take — its queue has no place, the message is too large or cannot be carried —
/// becomes a dead letter at the source. Everything else is tried until it succeeds, with waits that grow; the messages' leases are extended
/// meanwhile.
///
/// **Order is that of the source, per queue.** One message of a queue is under way at a time, also while it is tried again, and a relay waits
/// until nobody else holds messages of its queue. So several relays may run for one queue, of which one works; and when one was killed, its
/// queue rests until its leases have ended. That needs a source whose ``BrokerCapabilities/keepsOrder`` is true, and queues that nobody
/// else consumes from. Queues do not wait for each other.
///
/// **Delays** are the source's to keep: a message is relayed when its time has come.
///
/// **Duplicates** come from interruptions between publication and acknowledgement: a publication whose confirm was lost, an
/// acknowledgement that came too late, a process that was killed. Each makes at most one, of the message that was under way in its queue. (A
/// loss of power at a SQLite source may make more, see its configuration's `syncsSettlements`.) The copies have one id.
///
/// **Shutdown** (a graceful shutdown, or cancellation of the task): the publication under way is awaited, and acknowledged; the other messages
/// are given back at once.
public final class OutboxRelay: Service {
    /// How a relay behaves; right when empty.
    public struct Configuration: Sendable {
        /// How long messages stay with this relay without word from it: as long does a queue rest after its relay was killed.
        public var lease: Duration = .seconds(30)
        /// How many messages of a queue are taken at once. They are published one by one.
        public var batch = 100
        /// The longest body in bytes that the destination takes; longer ones become dead letters. RabbitMQ's own limit by default.
        public var maximumBodyBytes = 134_217_728
        /// The longest wait between two attempts to reach a broker.
        public var maximumDelay: Duration = .seconds(5)
        /// The relay's name in leases and logs; `nil` is a fresh one.
        public var name: String?
        /// Where counters go; `nil` is the process-wide metrics system.
        public var metrics: (any MetricsFactory)?
        /// Where the jitter of waits comes from.
        public var random = RandomSource.system

        public init() {}
    }

    private let relays: [QueueRelay]
    private let logger: Logger

    /// - Parameters:
    ///   - source: where the messages are.
    ///   - destination: whose `publish` returns when it has a message for good.
    ///   - queues: the queues to be relayed.
    ///   - logger: gets queues, ids and reasons, never what messages say.
    public init(
        from source: any Broker, to destination: any Broker, queues: [String], configuration: Configuration = .init(),
        time: TimeSource = .system, logger: Logger = Logger(label: "QueueKit")
    ) {
        var configuration = configuration
        let name = configuration.name ?? "relay-" + RandomSource.system.uuid()
        configuration.name = name
        var logger = logger
        logger[metadataKey: "relay"] = "\(name)"
        self.logger = logger
        self.relays = queues.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.map {
            QueueRelay(queue: $0, from: source, to: destination, owner: name, configuration: configuration, time: time, logger: logger)
        }
    }

    /// Relays until it is shut down. It can be run once.
    ///
    /// - Throws: ``QueueError`` `.closed` when one of the brokers has been shut down under it. A broker that cannot be reached is waited for.
    public func run() async throws {
        self.logger.info("outbox relay started", metadata: ["queues": "\(self.relays.map(\.queue).joined(separator: ", "))"])
        defer { self.logger.info("outbox relay stopped") }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                // Tasks of their own: a cancellation must not reach into an acknowledgement.
                let runs = self.relays.map { relay in
                    Task {
                        do { try await relay.run() } catch {
                            self.shutdown()
                            throw error
                        }
                    }
                }
                var failure: (any Error)?
                for run in runs {
                    do { try await run.value } catch { failure = failure ?? error }
                }
                if let failure { throw failure }
            } onCancel: {
                self.shutdown()
            }
        } onGracefulShutdown: {
            self.shutdown()
        }
    }

    /// It has been told to end, for tests.
    package var isStopping: Bool { self.relays.allSatisfy(\.isStopping) }

    private func shutdown() {
        for relay in self.relays { relay.shutdown() }
    }
}
