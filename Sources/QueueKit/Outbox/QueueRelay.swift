internal import Logging
internal import Metrics
internal import ScaleCore

/// Carries out for one queue what ``RelayEngine`` decides.
final class QueueRelay: Sendable {
    private struct State {
        var engine = RelayEngine()
        /// Ends the wait that is under way.
        var interrupt: (@Sendable () -> Void)?
        /// What ends the relay.
        var failure: QueueError?
    }

    let queue: String
    private let source: any Broker
    private let destination: any Broker
    private let owner: String
    private let configuration: OutboxRelay.Configuration
    private let lease: Duration
    private let time: TimeSource
    private let logger: Logger
    private let metrics: RelayMetrics
    private let state = Locked(State())

    init(
        queue: String, from source: any Broker, to destination: any Broker, owner: String, configuration: OutboxRelay.Configuration,
        time: TimeSource, logger: Logger
    ) {
        self.queue = queue
        self.source = source
        self.destination = destination
        self.owner = owner
        self.configuration = configuration
        self.lease = max(configuration.lease, .milliseconds(3))
        self.time = time
        var logger = logger
        logger[metadataKey: "queue"] = "\(queue)"
        self.logger = logger
        self.metrics = RelayMetrics(factory: configuration.metrics, queue: queue)
    }

    /// Ends the waits, and ``run()`` when what is under way has been settled.
    func shutdown() {
        let interrupt = self.state.withLock { state in
            state.engine.shutdown()
            return state.interrupt
        }
        interrupt?()
    }

    var isStopping: Bool { self.state.withLock { $0.engine.isStopping } }

    /// Relays until ``shutdown()``. To be called in a task that is not cancelled.
    func run() async throws {
        var extending: Task<Void, Never>?
        defer { extending?.cancel() }
        while true {
            let step = self.state.withLock { $0.engine.nextStep(at: self.time.now()) }
            switch step {
            case .stop:
                if let failure = self.state.withLock({ $0.failure }) { throw failure }
                return
            case .pause(let failures):
                let delay = self.delay(failures)
                _ = await self.interruptible { try await self.time.sleep(for: delay) }
                self.state.withLock { $0.engine.paused() }
            case .receive:
                extending?.cancel()
                extending = nil
                if await self.receive() { extending = Task { await self.extendLeases() } }
            case .publish(let delivery):
                await self.publish(delivery)
            case .acknowledge(let lease):
                if await self.settle("acknowledge a message", lease, { try await self.source.acknowledge(lease) }) {
                    self.metrics.count(.relayed)
                }
            case .bury(let lease, let reason):
                if await self.settle("bury a message", lease, { try await self.source.deadLetter(lease, reason: reason) }) {
                    self.metrics.count(.deadLettered)
                }
            case .release(let leases):
                for lease in leases { try? await self.source.release(lease) }
                self.state.withLock { $0.engine.released() }
            }
        }
    }

    // MARK: Steps

    /// Whether there are messages now.
    private func receive() async -> Bool {
        let request = ReceiveRequest(
            queues: [self.queue], limit: max(self.configuration.batch, 1), lease: self.lease, owner: self.owner, inOrder: true)
        switch await self.interruptible({ try await self.source.receive(request) }) {
        case .success(let deliveries):
            self.state.withLock { $0.engine.received(deliveries, until: self.time.now().advanced(by: self.lease)) }
            return !deliveries.isEmpty
        case .failure(let error):
            if !self.isStopping { self.sourceFailed(error) }
            return false
        }
    }

    private func publish(_ delivery: Delivery) async {
        let size = delivery.message.body.count
        var publication = RelayEngine.Publication.confirmed
        if size > self.configuration.maximumBodyBytes {
            publication = .refused(reason: "the body has \(size) bytes, the relay's limit is \(self.configuration.maximumBodyBytes)")
        } else {
            do {
                try await self.destination.publish(delivery.message, to: self.queue, notBefore: nil)
            } catch {
                publication = Self.publication(error)
                if (error as? QueueError)?.code == .closed { self.end(error) }
                var metadata: Logger.Metadata = ["error": "\(Worker.describe(error))"]
                metadata["job"] = TaskMessage.id(of: delivery.message).map { "\($0)" }
                self.logger.warning("the destination did not take a message", metadata: metadata)
                self.metrics.count(.failed)
            }
        }
        self.state.withLock { $0.engine.published(publication) }
    }

    /// What an error of the destination says about the message.
    private static func publication(_ error: any Error) -> RelayEngine.Publication {
        switch (error as? QueueError)?.code {
        case .unroutable?, .messageTooLarge?, .invalidJob?, .invalidQueueName?, .unsupported?:
            .refused(reason: "the destination refused it: \(Worker.describe(error))")
        default: .failed
        }
    }

    /// Whether the message is settled.
    private func settle(_ what: String, _ lease: Lease, _ work: () async throws -> Void) async -> Bool {
        var settlement = RelayEngine.Settlement.done
        do {
            try await work()
        } catch {
            let code = (error as? QueueError)?.code
            settlement = code == .staleLease ? .lost : .failed
            if code == .closed { self.end(error) }
            self.logger.warning(
                "cannot \(what)", metadata: ["message": "\(lease.message)", "error": "\(Worker.describe(error))"])
            self.metrics.count(settlement == .lost ? .leasesLost : .failed)
        }
        self.state.withLock { $0.engine.settled(settlement) }
        return settlement == .done
    }

    private func sourceFailed(_ error: any Error) {
        if (error as? QueueError)?.code == .closed { self.end(error) }
        self.logger.warning("the source does not answer", metadata: ["error": "\(Worker.describe(error))"])
        self.state.withLock { $0.engine.sourceFailed() }
    }

    /// A broker was shut down: there is nothing to wait for.
    private func end(_ error: any Error) {
        self.state.withLock { state in
            state.failure = state.failure ?? error as? QueueError
            state.engine.shutdown()
        }
    }

    // MARK: Time

    /// Extends what is held at every third of a lease, until nothing is or the task is cancelled.
    private func extendLeases() async {
        while true {
            do { try await self.time.sleep(for: self.lease / 3) } catch { return }
            let leases = self.state.withLock { $0.engine.leases }
            guard !leases.isEmpty else { return }
            do {
                let until = self.time.now().advanced(by: self.lease)
                let lost = try await self.source.extend(leases, by: self.lease)
                self.state.withLock { $0.engine.extended(until: until, lost: lost) }
            } catch {
                if Task.isCancelled { return }
                self.logger.warning("cannot extend leases", metadata: ["error": "\(Worker.describe(error))"])
            }
        }
    }

    private func delay(_ failures: Int) -> Duration {
        var random = self.configuration.random
        return RetryPolicy(baseDelay: .milliseconds(50), maximumDelay: self.configuration.maximumDelay, jitter: .equal)
            .delay(afterFailures: failures, using: &random)
    }

    /// Runs what may wait for long, so that ``shutdown()`` can end it.
    private func interruptible<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async -> Result<Value, any Error> {
        let task = Task { try await body() }
        let isStopping = self.state.withLock { state in
            state.interrupt = { task.cancel() }
            return state.engine.isStopping
        }
        if isStopping { task.cancel() }
        defer { self.state.withLock { $0.interrupt = nil } }
        return await task.result
    }
}

/// The counters of relays, with the dimension `queue`.
///
/// | name | counts |
/// |---|---|
/// | `queuekit_outbox_relayed` | messages that were confirmed and acknowledged |
/// | `queuekit_outbox_dead_lettered` | messages that the destination refuses |
/// | `queuekit_outbox_failed` | attempts to publish or settle that will be repeated, or were refused |
/// | `queuekit_outbox_leases_lost` | messages that come a second time |
struct RelayMetrics: Sendable {
    enum Event: String {
        case relayed, failed
        case deadLettered = "dead_lettered"
        case leasesLost = "leases_lost"
    }

    let factory: (any MetricsFactory)?
    let queue: String

    func count(_ event: Event) {
        Counter(
            label: "queuekit_outbox_\(event.rawValue)", dimensions: [("queue", self.queue)], factory: self.factory ?? MetricsSystem.factory
        ).increment()
    }
}
