public import QueueKit
internal import ScaleCore
public import ScaleTesting

/// What every ``ResultStore`` must do, as tests to run on one's own. Framework-neutral: they throw.
public enum ResultStoreConformance {
    /// An empty store, and the means to let time pass for it.
    public struct Subject: Sendable {
        public let store: any ResultStore
        public let pass: @Sendable (Duration) async throws -> Void

        public init(_ store: any ResultStore, pass: @escaping @Sendable (Duration) async throws -> Void) {
            self.store = store
            self.pass = pass
        }

        /// A store on manual time.
        public init(_ store: any ResultStore, time: ManualTime) {
            self.init(store, pass: { await time.advance(by: $0) })
        }
    }

    /// One rule.
    public typealias Case = ConformanceCase<Subject>

    /// Runs all rules, each on a fresh subject, and throws one `TestFailure` that lists those that do not hold.
    public static func run(
        file: String = #fileID, line: Int = #line, _ makeSubject: () async throws -> Subject
    ) async throws {
        try await Case.run(self.cases, file: file, line: line, on: makeSubject)
    }

    private static func status(_ id: JobID, _ state: JobState, result: JSONValue = nil) -> JobStatus {
        var status = JobStatus(id: id, state: state)
        status.result = result
        return status
    }

    /// All rules.
    public static let cases: [Case] = [
        Case("an unknown job has no status") { subject in
            try expectEqual(try await subject.store.status(of: JobID()), nil)
        },
        Case("a status is returned as it was recorded") { subject in
            var status = JobStatus(id: JobID(), state: .failure)
            status.failure = JobFailure("ValueError", "boom", module: "builtins", isPermanent: true)
            status.traceback = "somewhere"
            status.retries = 3
            status.finishedAt = UTCTime(millisecondsSinceEpoch: 1_767_225_600_123)
            status.parentID = JobID()
            status.groupID = "group"
            try expectEqual(try await subject.store.record(status), true)
            try expectEqual(try await subject.store.status(of: status.id), status)
            let done = Self.status(JobID(), .success, result: ["list": [1, 2.5, "😀", nil]])
            try expectEqual(try await subject.store.record(done), true)
            try expectEqual(try await subject.store.status(of: done.id), done)
        },
        Case("PENDING is recorded only for a job that is not known") { subject in
            let id = JobID()
            try expectEqual(try await subject.store.record(Self.status(id, .pending)), true)
            try expectEqual(try await subject.store.record(Self.status(id, .started)), true)
            try expectEqual(try await subject.store.record(Self.status(id, .pending)), false)
            try expectEqual(try await subject.store.status(of: id)?.state, .started)
        },
        Case("a SUCCESS is never replaced") { subject in
            let id = JobID()
            try await subject.store.record(Self.status(id, .success, result: 1))
            for state in [JobState.pending, .started, .retry, .failure, .revoked, .success] {
                try expectEqual(try await subject.store.record(Self.status(id, state, result: 2)), false, "\(state) was recorded")
            }
            try expectEqual(try await subject.store.status(of: id)?.result, 1)
        },
        Case("ids that only look alike are two jobs") { subject in
            let prefix = JobID().rawValue
            let one = try require(JobID(rawValue: prefix + "\u{E9}"), "an id")
            let other = try require(JobID(rawValue: prefix + "e\u{301}"), "an id")
            try await subject.store.record(Self.status(one, .success, result: 1))
            try expectEqual(try await subject.store.status(of: other), nil)
            try expectEqual(try await subject.store.record(Self.status(other, .started)), true)
            try expectEqual(try await subject.store.status(of: one)?.state, .success)
        },
        Case("a job that failed can run again") { subject in
            let id = JobID()
            try await subject.store.record(Self.status(id, .failure))
            try expectEqual(try await subject.store.record(Self.status(id, .started)), true)
            try expectEqual(try await subject.store.record(Self.status(id, .success, result: 1)), true)
        },
        Case("who waits for an end is woken by it, and not by less") { subject in
            let id = JobID()
            let waiting = PendingCall { try await subject.store.finalStatus(of: id, within: .seconds(3600)) }
            for state in [JobState.pending, .started, .retry] { try await subject.store.record(Self.status(id, state)) }
            try await subject.store.record(Self.status(id, .success, result: 7))
            try expectEqual(try await waiting.value()?.result, 7)
            try expectEqual(try await subject.store.finalStatus(of: id, within: .zero)?.result, 7)
        },
        Case("several can wait for one job") { subject in
            let id = JobID()
            let waits = (0..<5).map { _ in PendingCall { try await subject.store.finalStatus(of: id, within: .seconds(3600)) } }
            try await subject.store.record(Self.status(id, .revoked))
            for wait in waits { try expectEqual(try await wait.value()?.state, .revoked) }
        },
        Case("a wait ends with nothing when its time is over") { subject in
            let id = JobID()
            try await subject.store.record(Self.status(id, .started))
            try expectEqual(try await subject.store.finalStatus(of: id, within: .zero), nil)
            let waiting = PendingCall { try await subject.store.finalStatus(of: id, within: .seconds(5)) }
            // The wait may begin after the first pass; it ends in any case when so much time has passed since.
            let passing = Task { while !Task.isCancelled { try await subject.pass(.seconds(5)) } }
            defer { passing.cancel() }
            try expectEqual(try await waiting.value(), nil)
        },
        Case("a cancelled wait ends with CancellationError") { subject in
            let waiting = PendingCall { try await subject.store.finalStatus(of: JobID(), within: .seconds(3600)) }
            waiting.cancel()
            try await expectThrows(CancellationError.self) { try await waiting.value() }
        },
        Case("a PENDING job can be withdrawn, any other stays") { subject in
            let (pending, started) = (JobID(), JobID())
            try await subject.store.record(Self.status(pending, .pending))
            try await subject.store.record(Self.status(started, .started))
            for id in [pending, started, JobID()] { try await subject.store.withdraw(id) }
            try expectEqual(try await subject.store.status(of: pending), nil)
            try expectEqual(try await subject.store.status(of: started)?.state, .started)
        },
    ]
}
