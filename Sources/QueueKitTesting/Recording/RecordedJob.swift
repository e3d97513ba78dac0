public import QueueKit
public import ScaleCore
internal import ScaleTesting

/// A job as it was enqueued, decoded from the message that the broker got.
public struct RecordedJob<J: Job>: Sendable {
    public let job: J
    public let id: JobID
    public let queue: String
    /// From the call of `enqueue` to the earliest run.
    public let delay: Duration
    public let enqueuedAt: UTCTime
    public let message: TaskMessage
}

extension RecordingQueue {
    /// The jobs of a type that were enqueued so far and match, in order. Retries are not among them.
    ///
    /// - Throws: ``JobFailure`` when a message does not hold such a job: then no worker could run it either.
    public func enqueued<J: Job>(
        _ type: J.Type, where matches: (J) throws -> Bool = { _ in true }
    ) throws -> [RecordedJob<J>] {
        try self.broker.facts.all.compactMap { fact in
            guard case .published(let message, let queue, let notBefore, let at) = fact else { return nil }
            let task = try TaskMessage(message)
            guard task.task == J.name else { return nil }
            let job = try task.payload(as: J.self)
            guard try matches(job) else { return nil }
            let delay = notBefore.map { max(.zero, at.duration(to: $0)) } ?? .zero
            return RecordedJob(job: job, id: task.id, queue: queue, delay: delay, enqueuedAt: at, message: task)
        }
    }

    /// Throws unless such a job was enqueued; returns the first one.
    ///
    /// - Parameters:
    ///   - count: exactly how many; `nil`: one or more.
    ///   - queue: in which queue; `nil`: any.
    ///   - delay: with a delay in this range; `nil`: any.
    /// - Throws: `TestFailure` with the place of the call.
    @discardableResult
    public func expectEnqueued<J: Job>(
        _ type: J.Type, count: Int? = nil, queue: String? = nil, delay: ClosedRange<Duration>? = nil, file: String = #fileID,
        line: Int = #line, where matches: (J) throws -> Bool = { _ in true }
    ) throws -> RecordedJob<J> {
        let all = try self.enqueued(type)
        let found = try all.filter { recorded in
            try (queue.map { $0 == recorded.queue } ?? true) && (delay.map { $0.contains(recorded.delay) } ?? true)
                && matches(recorded.job)
        }
        guard let first = found.first, count.map({ $0 == found.count }) ?? true else {
            let expected = count.map { "\($0)" } ?? "one or more"
            let queues = Set(all.map(\.queue)).sorted().joined(separator: ", ")
            throw TestFailure(
                "expected \(expected) matching \(J.name), found \(found.count) among \(all.count) enqueued (queues: \(queues))", file: file,
                line: line)
        }
        return first
    }

    /// Throws if such a job was enqueued.
    public func expectNotEnqueued<J: Job>(
        _ type: J.Type, file: String = #fileID, line: Int = #line, where matches: (J) throws -> Bool = { _ in true }
    ) throws {
        let count = try self.enqueued(type, where: matches).count
        guard count == 0 else { throw TestFailure("expected no \(J.name), found \(count)", file: file, line: line) }
    }
}
