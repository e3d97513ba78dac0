import Logging
import QueueKit
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Testing

@testable import ProfileService

/// How a run ends though a part of it does not, on virtual time.
@Suite struct GivingUpRules {
    private let time = ManualTime()
    private let told = Announcement<Void>()
    private let released = Announcement<Void>()

    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private var runner: ServiceRunner { ServiceRunner(logger: self.logger, time: self.time.source) }

    @Test func `a part that ends neither gracefully nor when cancelled is left behind after 8 s, and that is no failure`() async throws {
        let started = Announcement<Void>()
        async let end: Void = self.runner.run(until: self.told) { [Deaf(started: started, released: self.released)] }
        try await started.value()
        self.told.make(())
        try await self.time.waitForSleepers(1)
        await self.time.advance(by: .seconds(8))
        try await end
        self.released.make(())
    }

    @Test func `a preparation that does not end is left behind as well`() async throws {
        async let end: Void = self.runner.run(until: self.told) {
            try await Deaf(started: Announcement(), released: self.released).run()
            return []
        }
        self.told.make(())
        try await self.time.waitForSleepers(1)
        await self.time.advance(by: .seconds(8))
        try await end
        self.released.make(())
    }

    @Test func `when a part fails, one that does not end when cancelled is left behind after 1 s, and the failure is told`() async throws {
        struct Failure: Error {}
        struct Failing: Service {
            let started: Announcement<Void>

            func run() async throws {
                try await self.started.value()
                throw Failure()
            }
        }
        let started = Announcement<Void>()
        let end = Task {
            try await self.runner.run(until: self.told) {
                [Deaf(started: started, released: self.released), Failing(started: started)]
            }
        }
        try await self.time.waitForSleepers(1)
        await self.time.advance(by: .seconds(1))
        await #expect(throws: Failure.self) { try await end.value }
        self.released.make(())
    }

    @Test func `a part that ends by itself is a failure, also when another does not end`() async throws {
        struct Ending: Service {
            func run() async throws {}
        }
        let end = Task {
            try await self.runner.run(until: self.told) { [Deaf(started: Announcement(), released: self.released), Ending()] }
        }
        try await self.time.waitForSleepers(1)
        await self.time.advance(by: .seconds(1))
        await #expect(throws: ServiceGroupError.self) { try await end.value }
        self.released.make(())
    }

    /// operator:  TERM
    /// job:       is at work ───── 5 s, cancelled ── 0.5 s, left behind
    @Test func `the worker gives up a job that does not end within 5.5 s, before anything is left behind`() async throws {
        struct DeafMailer: Mailer {
            let part: Deaf
            func notify(userID: Int64, attempt: Int) async throws { try await self.part.run() }
        }
        let mailing = Announcement<Void>()
        let queue = JobQueue(time: self.time.source, logger: self.logger)
        _ = try await queue.enqueue(SendEmailNotification(userID: 1))
        let start = self.time.now()
        async let end: Void = self.runner.run(until: self.told) {
            [Jobs.worker(on: queue, concurrency: 1, mailer: DeafMailer(part: Deaf(started: mailing, released: self.released)))]
        }
        try await mailing.value()
        self.told.make(())
        for limit in [Duration.seconds(5), .milliseconds(5500)] {
            try await eventually("something waits for \(limit)") { self.time.nextDeadline == start.advanced(by: limit) }
            await self.time.advance(by: self.time.now().duration(to: start.advanced(by: limit)))
        }
        try await end
        self.released.make(())
    }
}

/// Ends when it is released, and for no other reason.
private struct Deaf: Service {
    let started: Announcement<Void>
    let released: Announcement<Void>

    func run() async throws {
        self.started.make(())
        // A task of its own, since that hears of no cancellation.
        await Task { [released] in try? await released.value() }.value
    }
}
