internal import ScaleCore

/// What results are told of a job, and what follows when they do not take it.
extension Worker {
    func status(of message: TaskMessage, _ state: JobState) -> JobStatus {
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
    func record(_ status: JobStatus, of message: TaskMessage, _ delivery: Delivery) async -> Recording {
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

    func conclude(_ status: JobStatus, _ message: TaskMessage, _ delivery: Delivery) async -> Bool {
        await self.conclude(await self.record(status, of: message, delivery), task: message.task, delivery)
    }

    /// What follows when a job's end has been recorded, or not; `false` when it has not, and the message must not go.
    ///
    /// While the result store does not take it the message comes back after another lease's time, and the job runs again. What the store
    /// will never take would come back for ever, so that message is dead.
    func conclude(_ recording: Recording, task: String, _ delivery: Delivery) async -> Bool {
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
