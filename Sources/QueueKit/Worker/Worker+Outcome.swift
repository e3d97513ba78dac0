internal import Logging
internal import ScaleCore

/// How a job comes to its end, or to its next attempt: what is recorded, told and sent, and what becomes of its message.
extension Worker {
    func carryOut(_ decision: RetryDecision, _ message: TaskMessage, _ delivery: Delivery, runtime: Duration) async {
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

    func fail(_ delivery: Delivery, _ message: TaskMessage, _ failure: JobFailure, task: String, reason: String) async {
        var status = self.status(of: message, .failure)
        status.failure = failure
        guard await self.conclude(status, message, delivery),
            await self.endParts(Self.parts(of: message, failed: failure), message, delivery)
        else { return }
        await self.failFollowers(of: message, failure, delivery)
        if await self.bury(delivery, failure, task: task, reason: reason) { self.monitor?.failed(message.id, failure) }
    }

    /// As above, for a message of which no more than perhaps an id is known.
    func fail(_ delivery: Delivery, id: JobID?, _ failure: JobFailure, task: String, reason: String) async {
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
    enum Revocation: String {
        case expired, revoked, terminated
    }

    func revoke(_ delivery: Delivery, _ message: TaskMessage, task: String, _ reason: Revocation) async {
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
}
