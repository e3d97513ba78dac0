#if SQLite
import QueueKit
@testable import QueueKitSQLite
import Testing

@Suite struct KnownJobsTests {
    private static func id(_ number: Int) -> JobID { JobID(rawValue: "job-\(number)")! }

    private static func status(_ number: Int, _ state: JobState) -> JobStatus { JobStatus(id: self.id(number), state: state) }

    @Test func `a job is pending until its success, which stays`() {
        var known = KnownJobs()
        #expect(known[Self.id(1)] == nil)
        known.isPending(Self.id(1))
        known.recorded(Self.status(1, .retry), bytes: 10)
        #expect(known[Self.id(1)] == .pending)
        known.recorded(Self.status(1, .success), bytes: 10)
        known.isPending(Self.id(1))
        #expect(known[Self.id(1)] == .ended(Self.status(1, .success)))
    }

    @Test(arguments: [JobState.failure, .revoked])
    func `an end that may be replaced is looked up`(_ state: JobState) {
        var known = KnownJobs()
        known.isPending(Self.id(1))
        known.recorded(Self.status(1, state), bytes: 10)
        #expect(known[Self.id(1)] == nil)
    }

    @Test func `a long result is looked up`() {
        var known = KnownJobs()
        known.isPending(Self.id(1))
        known.recorded(Self.status(1, .success), bytes: 100_000)
        #expect(known[Self.id(1)] == nil)
    }

    @Test func `what was noted first is forgotten first, and never more is kept than so much`() {
        var known = KnownJobs()
        for number in 0..<10_000 { known.isPending(Self.id(number)) }
        #expect(known[Self.id(0)] == nil)
        #expect(known[Self.id(9_999)] == .pending)
        #expect((0..<10_000).filter { known[Self.id($0)] != nil }.count == 4_096)
        known.forgetAll()
        #expect(known[Self.id(9_999)] == nil)
    }

    @Test func `jobs that are forgotten one by one leave nothing behind`() {
        var known = KnownJobs()
        for number in 0..<10_000 {
            known.isPending(Self.id(number))
            known.recorded(Self.status(number, .failure), bytes: 10)
        }
        known.isPending(Self.id(1))
        #expect(known[Self.id(1)] == .pending)
    }
}
#endif
