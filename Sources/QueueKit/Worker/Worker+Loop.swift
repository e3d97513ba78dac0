internal import Logging
internal import ScaleCore

extension Worker {
    /// The worker's loop: take as many messages as there are free slots, start their jobs, wait for a slot.
    func takeJobs() async throws {
        var failures = 0
        var nextDepthReport = self.queue.time.now()
        while true {
            let (step, settings) = self.slots.nextStep()
            switch step {
            case .stop:
                return
            case .wait:
                await self.slots.changed.wait()
            case .tryQueue(let queue):
                await self.tryQueue(queue)
            case .receive(let limit):
                switch await self.deliveries(limit: limit, by: settings, failuresSoFar: failures) {
                case .success(let deliveries):
                    failures = 0
                    for delivery in deliveries { await self.start(delivery) }
                    if !deliveries.isEmpty { await self.reportDepth(of: settings.queues, &nextDepthReport) }
                case .failure(let error):
                    if (error as? QueueError)?.code == .closed {
                        self.slots.shutdownNow()
                        throw error
                    }
                    failures += 1
                }
            }
        }
    }

    /// Waits for messages in a task of its own, which a shutdown and other settings cancel. After a failure it also waits for the back-off.
    private func deliveries(limit: Int, by settings: WorkerSettings, failuresSoFar: Int) async -> Result<[Delivery], any Error> {
        let receiving = Task { () async throws -> [Delivery] in
            do {
                return try await self.receive(limit: limit, from: settings.queues, waits: true)
            } catch let error as QueueError where error.code == .closed {
                throw error
            } catch is CancellationError {
                return []
            } catch {
                self.logger.error("cannot receive jobs", metadata: ["error": "\(Self.describe(error))"])
                try? await self.queue.time.sleep(for: Self.reconnect.delay(beforeRetry: failuresSoFar, fraction: self.fraction()))
                throw error
            }
        }
        self.slots.isReceiving(with: receiving, by: settings)
        defer { self.slots.isNotReceiving() }
        return await receiving.result
    }

    /// Looks whether messages can be taken from a queue that a watcher has named; one that comes by that is a job like any other.
    ///
    /// Before it is one of the worker's queues: a queue that is declared otherwise, or is somebody's own, would hold up all of them. And
    /// by a question first, since a refusal ends the channel over which it comes, and with it the leases of what has come that way.
    private func tryQueue(_ queue: String) async {
        var isUsable = false
        do {
            _ = try await self.queue.broker.counts(of: queue)
            for delivery in try await self.receive(limit: 1, from: [queue], waits: false) { await self.start(delivery) }
            isUsable = true
        } catch {
            self.logger.error(
                "a queue that a watcher has named cannot be taken from",
                metadata: ["queue": "\(queue)", "error": "\(Self.describe(error))"])
        }
        self.monitor?.tried(queue, isUsable: isUsable)
    }

    /// Waits between attempts to reach a broker.
    private static let reconnect = JobRetryPolicy(baseDelay: .milliseconds(100), maximumDelay: .seconds(5))

    private func start(_ delivery: Delivery) async {
        if let slot = self.slots.admit(delivery.lease) {
            Task { await self.process(delivery, in: slot) }
        } else {
            await self.attempt("give a message back", delivery) { try await self.queue.broker.release(delivery.lease) }
        }
    }

    /// The queues' depth as a gauge, every few seconds while there is work; an idle worker reports nothing.
    private func reportDepth(of queues: [String], _ next: inout Instant) async {
        let now = self.queue.time.now()
        guard next <= now else { return }
        next = now.advanced(by: .seconds(5))
        for queue in queues { _ = try? await self.queue.counts(of: queue) }
    }

    func fraction() -> Double {
        var random = self.configuration.random
        return Double.random(in: 0..<1, using: &random)
    }

    /// Names the error; a description may show values, unless the error is ours.
    static func describe(_ error: any Error) -> String {
        (error as? QueueError)?.description ?? String(reflecting: type(of: error))
    }

    /// Tries something that the broker or the result store must be told, a few times if it cannot be reached; `false` when it was in vain.
    @discardableResult func attempt(_ what: String, _ delivery: Delivery, _ work: () async throws -> Void) async -> Bool {
        for attempt in 0..<4 {
            do {
                try await work()
                return true
            } catch let error as QueueError where error.code == .unavailable && attempt < 3 {
                try? await self.queue.time.sleep(for: Self.reconnect.delay(beforeRetry: attempt, fraction: self.fraction()))
            } catch {
                self.reportFailure(of: what, delivery, error)
                return false
            }
        }
        return false
    }

    private func reportFailure(of what: String, _ delivery: Delivery, _ error: any Error) {
        var metadata = self.metadata(of: delivery)
        if (error as? QueueError)?.code == .staleLease {
            self.queue.metrics.leaseLost(queue: delivery.lease.queue)
            metadata["token"] = "\(delivery.lease.fencingToken)"
            self.logger.warning("cannot \(what): the lease has ended and the job is somebody else's", metadata: metadata)
        } else {
            metadata["error"] = "\(Self.describe(error))"
            self.logger.error("cannot \(what)", metadata: metadata)
        }
    }

    func metadata(of delivery: Delivery) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["queue": "\(delivery.lease.queue)"]
        if let id = TaskMessage.id(of: delivery.message) { metadata["job"] = "\(id)" }
        if let task = delivery.message.headers["task"]?.stringValue { metadata["task"] = "\(task.prefix(255))" }
        return metadata
    }
}
