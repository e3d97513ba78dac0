import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@Suite struct RecordingQueueTests {
    @Test func `enqueued jobs are found by type, payload, queue, delay and count`() async throws {
        let jobs = RecordingQueue()
        try await jobs.queue.enqueue(Send(userID: 7), delay: .seconds(10))
        try await jobs.queue.enqueue(Send(userID: 8), options: .init(queue: "mail"))
        try await jobs.queue.enqueue(Add(x: 1, y: 2))
        let recorded = try jobs.expectEnqueued(Send.self, count: 1) { $0.userID == 7 }
        #expect(recorded.job == Send(userID: 7) && recorded.queue == "celery" && recorded.delay == .seconds(10))
        try jobs.expectEnqueued(Send.self, count: 2)
        try jobs.expectEnqueued(Send.self, queue: "mail", delay: .zero ... .zero) { $0.userID == 8 }
        try jobs.expectEnqueued(Send.self, delay: .seconds(9) ... .seconds(11))
        try jobs.expectNotEnqueued(Send.self) { $0.userID == 9 }
        #expect(try jobs.enqueued(Send.self).map(\.job.userID) == [7, 8])
    }

    @Test func `an expectation that does not hold fails with the place of the call`() async throws {
        let jobs = RecordingQueue()
        try await jobs.queue.enqueue(Send(userID: 7), delay: .seconds(10))
        let wrong: [() throws -> Void] = [
            { try jobs.expectEnqueued(Add.self) }, { try jobs.expectEnqueued(Send.self, count: 2) },
            { try jobs.expectEnqueued(Send.self, queue: "mail") },
            { try jobs.expectEnqueued(Send.self, delay: .zero ... .seconds(9)) }, { try jobs.expectEnqueued(Send.self) { $0.userID == 8 } },
            { try jobs.expectNotEnqueued(Send.self) },
        ]
        for expectation in wrong {
            let failure = #expect(throws: TestFailure.self) { try expectation() }
            #expect(failure?.file.hasSuffix("RecordingQueueTests.swift") == true)
        }
    }

    @Test func `retries are not taken for enqueued jobs`() async throws {
        let jobs = RecordingQueue { $0.handle(Send.self) { _, _ in throw Boom() } }
        try await jobs.queue.enqueue(Send(userID: 7))
        try await jobs.advance(by: .seconds(60))
        try jobs.expectEnqueued(Send.self, count: 1)
    }

    @Test func `jobs that are enqueued by jobs run in the same drain`() async throws {
        let queue = Locked<JobQueue?>(nil)
        let jobs = RecordingQueue {
            $0.handle(Send.self) { job, _ in
                if job.userID > 0 { try await queue.withLock { $0 }?.enqueue(Send(userID: job.userID - 1)) }
            }
        }
        queue.withLock { $0 = jobs.queue }
        try await jobs.queue.enqueue(Send(userID: 4))
        #expect(try await jobs.drain() == 5)
        try await jobs.queue.enqueue(Send(userID: 100))
        #expect(try await jobs.drain(limit: 3) == 3)
    }

    @Test func `time that is advanced runs each delayed job at its own time`() async throws {
        let times = RecordedFacts<Duration>()
        let start = Locked<(ManualTime, Instant)?>(nil)
        let jobs = RecordingQueue {
            $0.handle(Send.self) { _, _ in
                if let (time, begin) = start.withLock({ $0 }) { times.record(begin.duration(to: time.now())) }
            }
        }
        start.withLock { $0 = (jobs.time, jobs.time.now()) }
        for seconds in [30, 10, 20, 40] { try await jobs.queue.enqueue(Send(userID: seconds), delay: .seconds(seconds)) }
        #expect(try await jobs.advance(by: .seconds(35)) == 3)
        #expect(times.all == [.seconds(10), .seconds(20), .seconds(30)])
        #expect(jobs.time.now() == Instant(nanoseconds: 35_000_000_000))
    }

    @Test func `the same seed draws the same jitter`() async throws {
        func waits() async throws -> [UTCTime?] {
            struct Jittered: Job { static let name = "jittered" }
            let jobs = RecordingQueue { $0.handle(Jittered.self) { _, _ in throw Boom() } }
            try await jobs.queue.enqueue(Jittered())
            try await jobs.advance(by: .seconds(60))
            return jobs.broker.facts.all.compactMap { fact in if case .retried(_, _, let time) = fact { time } else { nil } }
        }
        let first = try await waits()
        #expect(first.count == 3)
        #expect(try await waits() == first)
    }
}
