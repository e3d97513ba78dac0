#if SQLite
internal import DequeModule
internal import QueueKit

/// What this process knows about jobs without looking into the tables: those that it has enqueued, and those whose success it has recorded.
/// A value, bounded: what was noted first is forgotten first, and whoever asks for it looks into the tables.
///
/// It holds as long as nobody else writes to the file: at the first sign of that all of it is forgotten.
struct KnownJobs {
    enum Knowledge: Hashable {
        /// It has not come to its end.
        case pending
        /// It has, and for good: a success is never replaced.
        case ended(JobStatus)
    }

    private static let most = 4096
    /// A longer result is read from the tables.
    private static let mostBytes = 1024

    private var jobs: [JobID: Knowledge] = [:]
    private var order: Deque<JobID> = []

    subscript(_ id: JobID) -> Knowledge? { self.jobs[id] }

    mutating func isPending(_ id: JobID) {
        guard self.jobs[id] == nil else { return }
        self.note(id, .pending)
    }

    /// - Parameter bytes: how long the status is in the tables.
    mutating func recorded(_ status: JobStatus, bytes: Int) {
        guard status.state.isFinal else { return }
        if status.state == .success, bytes <= Self.mostBytes {
            self.note(status.id, .ended(status))
        } else {
            self.jobs[status.id] = nil
        }
    }

    mutating func forget(_ id: JobID) {
        self.jobs[id] = nil
    }

    mutating func forgetAll() {
        self.jobs.removeAll(keepingCapacity: true)
        self.order.removeAll(keepingCapacity: true)
    }

    /// A job that was forgotten may still be in the order, and be forgotten early when it is noted again.
    private mutating func note(_ id: JobID, _ knowledge: Knowledge) {
        if self.jobs.updateValue(knowledge, forKey: id) == nil { self.order.append(id) }
        while self.order.count > Self.most, let oldest = self.order.popFirst() { self.jobs[oldest] = nil }
    }
}
#endif
