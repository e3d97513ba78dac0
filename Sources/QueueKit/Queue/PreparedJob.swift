internal import Logging
package import ScaleCore

/// A job on its way to the broker: everything is decided and encoded, nothing has been written.
package struct PreparedJob: Sendable {
    package var task: TaskMessage
    package var message: Message
    package var queue: String
    package var notBefore: UTCTime?
    package var id: JobID { self.task.id }
    /// The state to record before the message is published.
    package var status: JobStatus
}

extension JobQueue {
    /// Encodes a job, lets the middleware see it, and checks its bounds.
    package func prepare<J: Job>(_ job: J, delay: Duration?, options: EnqueueOptions) throws -> PreparedJob {
        let now = self.time.utcNow()
        let defaults = J.defaults
        let queue = self.queueName(of: J.self, options)
        try QueueName.validate(queue)
        var task = TaskMessage(task: J.name, id: options.id ?? JobID())
        (task.arguments, task.keywordArguments) = try Self.arguments(of: job, id: task.id)
        task.eta = Self.later(options.notBefore, delay.map(now.advanced(by:)), than: now)
        task.expires = options.expiresIn.map(now.advanced(by:))
        task.softTimeLimit = defaults.softTimeLimit
        task.hardTimeLimit = defaults.hardTimeLimit
        task.priority = options.priority ?? defaults.priority
        task.origin = self.configuration.origin
        task.userHeaders = options.headers
        task.ignoresResult = options.ignoresResult
        task.parentID = options.parent?.id
        task.rootID = options.parent.map { $0.rootID ?? $0.id } ?? task.id
        self.tracing.inject(into: &task)
        for middleware in self.configuration.middleware { try middleware.prepare(&task, for: queue) }
        let message = try self.checked(task, at: now)
        var status = JobStatus(id: task.id, state: .pending)
        status.parentID = task.parentID
        return PreparedJob(task: task, message: message, queue: queue, notBefore: task.eta, status: status)
    }

    /// A call that somebody else has made, checked and seen by the middleware.
    ///
    /// - Parameter queue: `nil` is the default queue.
    func prepare(_ call: TaskMessage, for queue: String?) throws -> PreparedJob {
        let queue = queue ?? self.configuration.defaultQueue
        try QueueName.validate(queue)
        var task = call
        task.origin = self.configuration.origin
        for middleware in self.configuration.middleware { try middleware.prepare(&task, for: queue) }
        let now = self.time.utcNow()
        task.eta = Self.later(task.eta, nil, than: now)
        let message = try self.checked(task, at: now)
        return PreparedJob(
            task: task, message: message, queue: queue, notBefore: task.eta, status: JobStatus(id: task.id, state: .pending))
    }

    /// The queue that a job goes to: the call's, or else the job type's, or else the default.
    func queueName<J: Job>(of job: J.Type, _ options: EnqueueOptions) -> String {
        options.queue ?? J.defaults.queue ?? self.configuration.defaultQueue
    }

    /// Counts and logs a job that the broker has.
    package func wasEnqueued(_ prepared: PreparedJob) {
        self.metrics.count(.enqueued, task: prepared.task.task, queue: prepared.queue)
        self.logger.debug(
            "job enqueued",
            metadata: ["job": "\(prepared.id)", "task": "\(prepared.task.task)", "queue": "\(prepared.queue)"])
    }

    private static func arguments(of job: some Job, id: JobID) throws(QueueError) -> ([JSONValue], JSONObject) {
        do {
            return try ArgumentDecoder.encode(job)
        } catch EncodingError.invalidValue(_, let context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw QueueError(code: .invalidJob, message: "the payload cannot be encoded at \(path.isEmpty ? "its top" : path)", job: id)
        } catch {
            throw QueueError(code: .invalidJob, message: "the payload cannot be encoded", job: id)
        }
    }

    /// The later of two times, if it lies ahead at all: what is due now needs no eta.
    private static func later(_ left: UTCTime?, _ right: UTCTime?, than now: UTCTime) -> UTCTime? {
        let candidates = [left, right].compactMap { $0 }
        return candidates.max().flatMap { $0 > now ? $0 : nil }
    }

    private func checked(_ task: TaskMessage, at now: UTCTime) throws(QueueError) -> Message {
        guard !task.task.isEmpty, task.task.utf8.count <= 255 else {
            throw QueueError(code: .invalidJob, message: "a task's name has 1 to 255 bytes", job: task.id)
        }
        guard (0...255).contains(task.priority) else {
            throw QueueError(code: .invalidJob, message: "a priority is 0 to 255, not \(task.priority)", job: task.id)
        }
        let message = task.message(at: now)
        guard message.body.count <= self.configuration.maximumBodyBytes else {
            throw QueueError(
                code: .messageTooLarge,
                message: "the body has \(message.body.count) bytes, the limit is \(self.configuration.maximumBodyBytes)", job: task.id)
        }
        return message
    }
}
