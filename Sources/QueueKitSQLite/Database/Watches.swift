#if SQLite
internal import QueueKit
internal import ScaleCore

/// Who waits for what in the tables. A value; continuations are handed out, to be resumed outside of the lock.
///
/// A watch begins before its owner looks into the tables, and remembers what happens until the owner waits: nothing in between is missed.
struct Watches {
    enum Subject: Hashable, Sendable {
        /// Any message of any queue.
        case messages
        case end(of: JobID)
    }

    enum Signal: Sendable {
        /// Something may be otherwise: look again.
        case changed
        /// The job has come to this end.
        case ended(JobStatus)
        /// These messages are leased, by the transaction that brought some of them.
        case delivered([LeasedRow])
        case deadline
    }

    typealias ID = UInt64
    typealias Continuation = CheckedContinuation<Signal, any Error>

    private struct Watch {
        let subject: Subject
        var signal: Signal?
        var isCancelled = false
        var continuation: Continuation?
        /// For what messages it waits.
        var request: ReceiveRequest?
    }

    /// Who waits for messages and is to be told by the holder of this, and by nobody else, whether there are any.
    struct Claim: Sendable {
        let request: ReceiveRequest
        let continuation: Continuation
    }

    private var watches: [ID: Watch] = [:]
    private var bySubject: [Subject: Set<ID>] = [:]
    private var deadlines = Deadlines()
    private var lastID: ID = 0
    /// How many are waiting, and not busy with what they saw.
    private(set) var waiting = 0

    var earliestDeadline: Instant? { self.deadlines.earliest }

    mutating func begin(_ subject: Subject) -> ID {
        self.lastID += 1
        self.watches[self.lastID] = Watch(subject: subject)
        self.bySubject[subject, default: []].insert(self.lastID)
        return self.lastID
    }

    mutating func end(_ id: ID) {
        guard let watch = self.watches.removeValue(forKey: id) else { return }
        self.bySubject[watch.subject]?.remove(id)
        if self.bySubject[watch.subject]?.isEmpty == true { self.bySubject[watch.subject] = nil }
    }

    /// What was remembered is in what the owner sees now.
    mutating func isLooking(_ id: ID) {
        self.watches[id]?.signal = nil
    }

    /// What has happened since, if anything; otherwise the owner waits.
    ///
    /// - Parameter request: what messages it waits for, which may then be leased for it.
    mutating func wait(
        _ id: ID, for request: ReceiveRequest?, until deadline: Instant?, _ continuation: Continuation
    ) -> Result<Signal, any Error>? {
        guard let watch = self.watches[id], !watch.isCancelled else { return .failure(CancellationError()) }
        if let signal = watch.signal {
            self.watches[id]?.signal = nil
            return .success(signal)
        }
        self.watches[id]?.continuation = continuation
        self.watches[id]?.request = request
        self.waiting += 1
        if let deadline { self.deadlines.set(deadline, for: id) }
        return nil
    }

    /// Whoever began first of those who wait for messages.
    mutating func claim() -> Claim? {
        let waiting = self.bySubject[.messages]?.filter { self.watches[$0]?.continuation != nil && self.watches[$0]?.request != nil }
        guard let id = waiting?.min(), let request = self.watches[id]?.request, let continuation = self.takeContinuation(of: id) else {
            return nil
        }
        return Claim(request: request, continuation: continuation)
    }

    /// The owner's task has been cancelled.
    mutating func cancel(_ id: ID) -> Continuation? {
        guard self.watches[id] != nil else { return nil }
        self.watches[id]?.isCancelled = true
        return self.takeContinuation(of: id)
    }

    /// For all that watch this; who does not wait finds it when it does.
    mutating func signal(_ subject: Subject, _ signal: Signal) -> [Continuation] {
        self.bySubject[subject].map { $0.compactMap { self.signal($0, signal) } } ?? []
    }

    mutating func signalAll() -> [Continuation] {
        self.watches.keys.compactMap { self.signal($0, .changed) }
    }

    mutating func takeLate(at now: Instant) -> [Continuation] {
        self.deadlines.takeEnded(at: now).compactMap { self.takeContinuation(of: $0) }
    }

    private mutating func signal(_ id: ID, _ signal: Signal) -> Continuation? {
        if let continuation = self.takeContinuation(of: id) { return continuation }
        // That a job has ended is not made less by that something else has changed.
        if case .ended? = self.watches[id]?.signal { return nil }
        self.watches[id]?.signal = signal
        return nil
    }

    private mutating func takeContinuation(of id: ID) -> Continuation? {
        guard let continuation = self.watches[id]?.continuation else { return nil }
        self.watches[id]?.continuation = nil
        self.waiting -= 1
        self.deadlines.remove(id)
        return continuation
    }
}
#endif
