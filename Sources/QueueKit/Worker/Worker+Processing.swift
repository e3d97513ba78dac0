internal import ScaleCore

/// What is known about a message before its handler runs.
private struct Admission {
    let message: TaskMessage
    let entry: JobHandlers.Entry
}

extension Worker {
    /// Takes one message from its arrival to its end.
    func process(_ delivery: Delivery, in slot: WorkerEngine.Slot) async {
        if let admission = await self.admission(of: delivery) {
            self.monitor?.received(slot, admission.message, delivery)
            switch await self.slots.turn(slot, of: admission.message.task) {
            case .begin: await self.runJob(admission, delivery, in: slot)
            case .giveBack, .wait: await self.carryOut(.release, admission.message, delivery, runtime: .zero)
            case .lost: await self.carryOut(.abandon, admission.message, delivery, runtime: .zero)
            }
            self.monitor?.left(slot)
        }
        self.slots.settled(slot)
    }

    /// The call to run; `nil` when the message has come to its end here: malformed, lost too often, expired, revoked, or of an unknown
    /// task; or when it is not due yet.
    private func admission(of delivery: Delivery) async -> Admission? {
        let message: TaskMessage
        do {
            message = try TaskMessage(delivery.message, limits: self.queue.configuration.limits)
        } catch {
            await self.fail(
                delivery, id: TaskMessage.id(of: delivery.message), .malformed(error), task: "unregistered", reason: error.description)
            return nil
        }
        let entry = self.handlers.entries[name: message.task]
        let label = entry == nil ? "unregistered" : message.task
        if delivery.losses > self.configuration.maximumLosses {
            await self.fail(
                delivery, message, .workerLost(delivery.losses), task: label, reason: "the worker was lost \(delivery.losses) times")
            return nil
        }
        if let expires = message.expires, expires <= self.queue.time.utcNow() {
            await self.revoke(delivery, message, task: label, .expired)
            return nil
        }
        if self.monitor?.isRevoked(message.id) == true {
            await self.revoke(delivery, message, task: label, .revoked)
            return nil
        }
        guard let entry else {
            await self.fail(delivery, message, .notRegistered(message.task), task: label, reason: "no handler for the task")
            return nil
        }
        if let eta = message.eta, eta > self.queue.time.utcNow() {
            // A Celery client sends at once what is due later, and leaves it to the worker to keep it in its memory. Here the broker does.
            self.monitor?.announced(message, delivery)
            await self.attempt("put a job back until it is due", delivery) {
                try await self.queue.broker.retry(delivery.lease, with: delivery.message, notBefore: eta)
            }
            return nil
        }
        return Admission(message: message, entry: entry)
    }

    private func runJob(_ admission: Admission, _ delivery: Delivery, in slot: WorkerEngine.Slot) async {
        let (message, defaults) = (admission.message, admission.entry.defaults)
        if let expires = message.expires, expires <= self.queue.time.utcNow() {
            // While it waited for its turn.
            return await self.revoke(delivery, message, task: message.task, .expired)
        }
        if !delivery.isKnownAsStarted { await self.record(self.status(of: message, .started), of: message, delivery) }
        guard self.monitor?.begins(slot) ?? true else {
            return await self.revoke(delivery, message, task: message.task, .revoked)
        }
        self.queue.metrics.count(.started, task: message.task, queue: delivery.lease.queue)
        let begin = self.queue.time.now()
        let context = self.context(of: message, delivery)
        let outcome = await self.slots.run(
            slot, of: message.task, own: .init(soft: message.softTimeLimit, hard: message.hardTimeLimit),
            defaults: .init(soft: defaults.softTimeLimit, hard: defaults.hardTimeLimit)
        ) {
            try await self.runHandler(admission, context)
        }
        let runtime = begin.duration(to: self.queue.time.now())
        self.queue.metrics.duration(runtime, task: message.task, queue: delivery.lease.queue)
        var decision = RetryDecision(after: outcome, retries: message.retries, policy: defaults.retry, fraction: self.fraction())
        if decision != .abandon, await !self.maySpeak(for: delivery, in: slot) { decision = .abandon }
        await self.carryOut(decision, message, delivery, runtime: runtime)
    }

    /// The handler within its middleware and its span.
    @concurrent private func runHandler(_ admission: Admission, _ context: JobContext) async throws -> JSONValue {
        let result = Locked(JSONValue.null)
        try await self.queue.tracing.withConsumerSpan(of: admission.message, queue: context.queue) {
            try await self.runMiddleware(from: 0, context) {
                let value = try await admission.entry.run(admission.message, context)
                result.withLock { $0 = value }
            }
        }
        return result.withLock { $0 }
    }

    private func runMiddleware(from index: Int, _ context: JobContext, _ handler: () async throws -> Void) async throws {
        let middleware = self.queue.configuration.middleware
        guard index < middleware.count else { return try await handler() }
        try await middleware[index].run(context) {
            try await self.runMiddleware(from: index + 1, context, handler)
        }
    }

    /// Whether the message is still ours. If the lease has ended by our own reckoning the broker decides, by extending it or not.
    private func maySpeak(for delivery: Delivery, in slot: WorkerEngine.Slot) async -> Bool {
        if self.slots.holdsLease(slot) { return true }
        do {
            return try await self.queue.broker.extend([delivery.lease], by: self.configuration.lease).isEmpty
        } catch {
            return false
        }
    }

    private func context(of message: TaskMessage, _ delivery: Delivery) -> JobContext {
        JobContext(
            id: message.id, task: message.task, queue: delivery.lease.queue, retries: message.retries, losses: delivery.losses,
            rootID: message.rootID, parentID: message.parentID, headers: message.userHeaders, queueLogger: self.queue.logger)
    }
}
