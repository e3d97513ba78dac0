internal import Logging
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

// MARK: - A job's end

extension Worker {
    private func carryOut(_ decision: RetryDecision, _ message: TaskMessage, _ delivery: Delivery, runtime: Duration) async {
        let queue = delivery.lease.queue
        switch decision {
        case .succeed(let value):
            var status = self.status(of: message, .success)
            status.result = value
            guard await self.sendFollowers(of: message, value, delivery) else {
                _ = await self.conclude(.unconfirmed, task: message.task, delivery)
                return
            }
            guard await self.succeed(status, message, delivery) else { return }
            self.queue.metrics.count(.succeeded, task: message.task, queue: queue)
            self.monitor?.succeeded(message.id, value, runtime: runtime)
            self.logger.debug("job succeeded", metadata: self.metadata(of: delivery))
        case .retry(let delay, let failure):
            await self.retry(message, delivery, after: delay, failure)
        case .fail(let failure):
            await self.fail(delivery, message, failure, task: message.task, reason: "failed with \(failure.type)")
        case .revoke:
            await self.revoke(delivery, message, task: message.task, .terminated)
        case .release:
            self.monitor?.tell(.rejected(message.id, isRequeued: true))
            await self.attempt("give a job back", delivery) { try await self.queue.broker.release(delivery.lease) }
            self.logger.info("job given back", metadata: self.metadata(of: delivery))
        case .abandon:
            self.queue.metrics.leaseLost(queue: queue)
            var metadata = self.metadata(of: delivery)
            metadata["token"] = "\(delivery.lease.fencingToken)"
            self.logger.warning("job abandoned: its lease has ended and it is somebody else's", metadata: metadata)
        }
    }

    /// Records a job's result and acknowledges its message, in one step where the broker keeps the states too; `false` when that was not done.
    private func succeed(_ status: JobStatus, _ message: TaskMessage, _ delivery: Delivery) async -> Bool {
        guard let states = self.queue.states, message.ignoresResult != true, ChordMember(message) == nil else {
            guard await self.conclude(status, message, delivery), await self.endPart(status, message, delivery) else { return false }
            return await self.attempt("acknowledge a job", delivery) { try await self.queue.broker.acknowledge(delivery.lease) }
        }
        let isStale = Locked(false)
        let isDone = await self.attempt("record and acknowledge a job", delivery) {
            do {
                try await states.acknowledge(delivery.lease, recording: status)
            } catch {
                isStale.withLock { $0 = (error as? QueueError)?.code == .staleLease }
                throw error
            }
        }
        guard !isDone, !isStale.withLock({ $0 }) else { return isDone }
        return await self.conclude(.unconfirmed, task: message.task, delivery)
    }

    /// Tells the chord, if the job that has succeeded is a part of one; `false` when that was not done, and the message must not go.
    private func endPart(_ status: JobStatus, _ message: TaskMessage, _ delivery: Delivery) async -> Bool {
        guard let member = ChordMember(message) else { return true }
        return await self.endParts([ChordPart(member, returned: status.result)], message, delivery)
    }

    private func endParts(_ parts: [ChordPart], _ message: TaskMessage, _ delivery: Delivery) async -> Bool {
        if await self.returnParts(parts, after: message, delivery) { return true }
        return await self.conclude(.unconfirmed, task: message.task, delivery)
    }

    /// The state is recorded and told first: once the broker has the message, another worker may be quicker than we are.
    private func retry(_ message: TaskMessage, _ delivery: Delivery, after delay: Duration, _ failure: JobFailure) async {
        let now = self.queue.time.utcNow()
        var next = message
        next.retries += 1
        next.eta = now.advanced(by: delay)
        next.parentID = message.id
        var status = self.status(of: next, .retry)
        status.failure = failure
        status.parentID = message.parentID
        await self.record(status, of: message, delivery)
        self.monitor?.retried(message.id, failure)
        let replacement = Self.replacement(of: delivery.message, by: next)
        let isDone = await self.attempt("retry a job", delivery) {
            try await self.queue.broker.retry(delivery.lease, with: replacement, notBefore: delay > .zero ? next.eta : nil)
        }
        guard isDone else { return }
        self.queue.metrics.count(.retried, task: message.task, queue: delivery.lease.queue)
        var metadata = self.metadata(of: delivery)
        metadata["failure"] = "\(failure.type)"
        metadata["retries"] = "\(next.retries)"
        metadata["delay"] = "\(delay)"
        self.logger.warning("job failed and is tried again", metadata: metadata)
    }

    /// The same message with another count, time and parent. What RabbitMQ notes about dead-lettering is taken off, or its detection
    /// of cycles drops the message one day.
    private static func replacement(of original: Message, by next: TaskMessage) -> Message {
        var message = original
        message.headers["retries"] = .integer(Int64(next.retries))
        message.headers["eta"] = .orNull(next.eta.map(Timestamp.text))
        message.headers["parent_id"] = .orNull(next.parentID?.rawValue)
        for name in message.headers.keys
        where name == "x-death" || name.hasPrefix("x-first-death-") || name.hasPrefix("x-last-death-") {
            message.headers[name] = nil
        }
        return message
    }

    private func fail(_ delivery: Delivery, _ message: TaskMessage, _ failure: JobFailure, task: String, reason: String) async {
        var status = self.status(of: message, .failure)
        status.failure = failure
        guard await self.conclude(status, message, delivery),
            await self.endParts(Self.parts(of: message, failed: failure), message, delivery)
        else { return }
        await self.failFollowers(of: message, failure, delivery)
        if await self.bury(delivery, failure, task: task, reason: reason) { self.monitor?.failed(message.id, failure) }
    }

    /// As above, for a message of which no more than perhaps an id is known.
    private func fail(_ delivery: Delivery, id: JobID?, _ failure: JobFailure, task: String, reason: String) async {
        if let id {
            var status = JobStatus(id: id, state: .failure)
            status.failure = failure
            status.finishedAt = self.queue.time.utcNow()
            guard await self.conclude(await self.record(status, delivery), task: task, delivery) else { return }
        }
        if await self.bury(delivery, failure, task: task, reason: reason), let id { self.monitor?.tell(.rejected(id, isRequeued: false)) }
    }

    /// `false` when the broker did not do it.
    private func bury(_ delivery: Delivery, _ failure: JobFailure, task: String, reason: String) async -> Bool {
        let isDone = await self.attempt("dead-letter a job", delivery) {
            try await self.queue.broker.deadLetter(delivery.lease, reason: reason)
        }
        guard isDone else { return false }
        self.queue.metrics.count(.failed, task: task, queue: delivery.lease.queue)
        self.queue.metrics.count(.deadLettered, task: task, queue: delivery.lease.queue)
        var metadata = self.metadata(of: delivery)
        metadata["failure"] = "\(failure.type)"
        metadata["reason"] = "\(reason)"
        self.logger.error("job failed for good", metadata: metadata)
        return true
    }

    /// Why a job is called off, in Celery's words.
    private enum Revocation: String {
        case expired, revoked, terminated
    }

    private func revoke(_ delivery: Delivery, _ message: TaskMessage, task: String, _ reason: Revocation) async {
        var status = self.status(of: message, .revoked)
        let failure = JobFailure.revoked(reason.rawValue)
        status.failure = failure
        guard await self.conclude(status, message, delivery),
            await self.endParts(Self.parts(of: message, failed: failure, state: .revoked), message, delivery)
        else { return }
        let isDone = await self.attempt("drop a revoked job", delivery) { try await self.queue.broker.acknowledge(delivery.lease) }
        guard isDone else { return }
        self.queue.metrics.count(.revoked, task: task, queue: delivery.lease.queue)
        self.monitor?.tell(.revoked(message.id, isTerminated: reason == .terminated, isExpired: reason == .expired))
        self.logger.info("job revoked: \(reason.rawValue)", metadata: self.metadata(of: delivery))
    }

    private func status(of message: TaskMessage, _ state: JobState) -> JobStatus {
        var status = JobStatus(id: message.id, state: state)
        status.retries = message.retries
        status.parentID = message.parentID
        status.groupID = message.group
        if state.isFinal { status.finishedAt = self.queue.time.utcNow() }
        return status
    }

    enum Recording {
        case done
        /// The store did not say that it has it.
        case unconfirmed
        /// The store will never take this.
        case refused
    }

    /// As below, unless the caller has no use for the job's states.
    @discardableResult
    private func record(_ status: JobStatus, of message: TaskMessage, _ delivery: Delivery) async -> Recording {
        message.ignoresResult == true ? .done : await self.record(status, delivery)
    }

    func record(_ status: JobStatus, _ delivery: Delivery) async -> Recording {
        let wasRefused = Locked(false)
        let isDone = await self.attempt("record a state", delivery) {
            do {
                try await self.queue.results.record(status)
            } catch {
                wasRefused.withLock { $0 = Self.isRefusal(error) }
                throw error
            }
        }
        return isDone ? .done : wasRefused.withLock { $0 } ? .refused : .unconfirmed
    }

    /// Whether a result store's error says that it will never take this. Any other one, also of a kind that we do not know, may have its
    /// reason in the moment.
    static func isRefusal(_ error: any Error) -> Bool {
        guard let code = (error as? QueueError)?.code else { return false }
        return [.unsupported, .messageTooLarge, .invalidJob].contains(code)
    }

    private func conclude(_ status: JobStatus, _ message: TaskMessage, _ delivery: Delivery) async -> Bool {
        await self.conclude(await self.record(status, of: message, delivery), task: message.task, delivery)
    }

    /// What follows when a job's end has been recorded, or not; `false` when it has not, and the message must not go.
    ///
    /// While the result store does not take it the message comes back after another lease's time, and the job runs again. What the store
    /// will never take would come back for ever, so that message is dead.
    private func conclude(_ recording: Recording, task: String, _ delivery: Delivery) async -> Bool {
        switch recording {
        case .done:
            return true
        case .unconfirmed where Task.isCancelled:
            // It is we who end, not the store that fails: another worker may have the message now. In a task that is not cancelled.
            let release = Task {
                await self.attempt("give a job back", delivery) { try await self.queue.broker.release(delivery.lease) }
            }
            _ = await release.value
        case .unconfirmed:
            let due = self.queue.time.utcNow().advanced(by: self.configuration.lease)
            await self.attempt("put a job back", delivery) {
                try await self.queue.broker.retry(delivery.lease, with: delivery.message, notBefore: due)
            }
        case .refused:
            let isDone = await self.attempt("dead-letter a job", delivery) {
                try await self.queue.broker.deadLetter(delivery.lease, reason: "its outcome could not be recorded")
            }
            if isDone { self.queue.metrics.count(.deadLettered, task: task, queue: delivery.lease.queue) }
        }
        return false
    }
}
