internal import DequeModule
public import ScaleCore

/// States and results inside the process.
public final class MemoryResultStore: ResultStore {
    private let time: TimeSource
    private let retention: Duration
    private let maximumEnded: Int
    private let state = Locked(State())

    /// - Parameters:
    ///   - retention: how long results are kept after a job's end. Celery's default is a day as well.
    ///   - maximumEnded: how many ended jobs are remembered; the oldest make room for the newest.
    public init(time: TimeSource = .system, retention: Duration = .seconds(86_400), maximumEnded: Int = 100_000) {
        self.time = time
        self.retention = retention
        self.maximumEnded = max(0, maximumEnded)
    }

    public func record(_ status: JobStatus) async throws -> Bool {
        let now = self.time.now()
        let (isRecorded, waiters): (Bool, [Waiter]) = self.state.withLock { state in
            // By its place, so that what is there is not copied to be looked at.
            if let place = state.statuses.index(forKey: status.id) {
                guard status.mayReplace(state.statuses.values[place]) else { return (false, []) }
                state.statuses.values[place] = status
            } else {
                state.statuses[status.id] = status
            }
            guard status.state.isFinal else { return (true, []) }
            state.ended.append(Ended(job: status.id, expires: now.advanced(by: self.retention)))
            self.expire(&state, at: now)
            return (true, state.waiters.removeValue(forKey: status.id) ?? [])
        }
        for waiter in waiters { waiter.continuation.resume(returning: status) }
        return isRecorded
    }

    public func status(of id: JobID) async throws -> JobStatus? {
        let now = self.time.now()
        return self.state.withLock { state in
            self.expire(&state, at: now)
            return state.statuses[id]
        }
    }

    public func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        if let status = try await self.status(of: id), status.state.isFinal { return status }
        return try await before(self.time.now().advanced(by: timeout), on: self.time) { try await self.end(of: id) }
    }

    public func withdraw(_ id: JobID) async throws {
        self.state.withLock { state in
            if state.statuses[id]?.state == .pending { state.statuses[id] = nil }
        }
    }

    private func expire(_ state: inout State, at now: Instant) {
        while let first = state.ended.first, first.expires <= now || state.ended.count > self.maximumEnded {
            state.ended.removeFirst()
            // A job that was put back from the dead letters may be running again.
            if state.statuses[first.job]?.state.isFinal == true { state.statuses[first.job] = nil }
        }
    }
}

// MARK: - Waiting for the end

extension MemoryResultStore {
    private struct State {
        var statuses: [JobID: JobStatus] = [:]
        /// Jobs that have ended, oldest first.
        var ended: Deque<Ended> = []
        var waiters: [JobID: [Waiter]] = [:]
        /// Waiters that were cancelled before they had parked.
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
    }

    private struct Ended {
        let job: JobID
        let expires: Instant
    }

    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<JobStatus, any Error>
    }

    private func end(of id: JobID) async throws -> JobStatus {
        let waiterID = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        defer { self.state.withLock { _ = $0.cancelled.remove(waiterID) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<JobStatus, any Error>? = self.state.withLock { state in
                    if state.cancelled.remove(waiterID) != nil { return .failure(CancellationError()) }
                    if let status = state.statuses[id], status.state.isFinal { return .success(status) }
                    state.waiters[id, default: []].append(Waiter(id: waiterID, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            self.cancel(waiterID, of: id)
        }
    }

    private func cancel(_ waiterID: UInt64, of id: JobID) {
        let waiter: Waiter? = self.state.withLock { state in
            guard let index = state.waiters[id]?.firstIndex(where: { $0.id == waiterID }) else {
                state.cancelled.insert(waiterID)
                return nil
            }
            let waiter = state.waiters[id]?.remove(at: index)
            if state.waiters[id]?.isEmpty == true { state.waiters[id] = nil }
            return waiter
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
