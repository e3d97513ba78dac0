#if SQLite
import QueueKit
@testable import QueueKitSQLite
import ScaleCore
import ScaleTesting
import Testing

/// The board on which changes are told, in time that stands still: what wakes somebody is what was told.
@Suite struct WatchesTests {
    private let time = ManualTime()
    private let id = JobID()

    private func changes(version: @escaping @Sendable () -> Int64 = { 1 }) -> Changes {
        Changes(time: self.time.source, remembers: true, shortest: .seconds(1), longest: .seconds(1)) { version() }
    }

    @Test func `what happens between a look and the wait is not missed`() async throws {
        let changes = self.changes()
        let messages = changes.watch(.messages)
        changes.announceMessages()
        guard case .changed = try await changes.wait(for: messages, until: nil) else { return #expect(Bool(false)) }
        let end = changes.watch(.end(of: self.id))
        changes.recorded(JobStatus(id: self.id, state: .failure), bytes: 10)
        guard case .ended(let status) = try await changes.wait(for: end, until: nil) else { return #expect(Bool(false)) }
        #expect(status.state == .failure)
    }

    @Test func `what happened before a look wakes nobody after it`() async throws {
        let changes = self.changes()
        // The first look of all finds a version that is not known.
        let first = changes.watch(.messages)
        _ = try await changes.wait(for: first, until: nil)
        let watch = changes.watch(.messages)
        changes.announceMessages()
        changes.isLooking(watch)
        let waiting = Task { try await changes.wait(for: watch, until: self.time.source.now().advanced(by: .milliseconds(10))) }
        try await self.time.waitForSleepers(2)
        await self.time.advance(by: .milliseconds(10))
        guard case .deadline = try await waiting.value else { return #expect(Bool(false)) }
    }

    @Test func `a state that is no end, and the end of another job, wake nobody`() async throws {
        let changes = self.changes()
        let first = changes.watch(.messages)
        _ = try await changes.wait(for: first, until: nil)
        let watch = changes.watch(.end(of: self.id))
        changes.recorded(JobStatus(id: self.id, state: .retry), bytes: 10)
        changes.recorded(JobStatus(id: JobID(), state: .success), bytes: 10)
        changes.announceMessages()
        let waiting = Task { try await changes.wait(for: watch, until: self.time.source.now().advanced(by: .milliseconds(10))) }
        try await self.time.waitForSleepers(2)
        await self.time.advance(by: .milliseconds(10))
        guard case .deadline = try await waiting.value else { return #expect(Bool(false)) }
    }

    @Test func `a commit of somebody else wakes all, and what was known is known no more`() async throws {
        let version = Locked<Int64>(1)
        let changes = self.changes { version.withLock { $0 } }
        let watch = changes.watch(.end(of: self.id))
        _ = try await changes.wait(for: watch, until: nil)
        changes.isPending(self.id)
        let waiting = Task { try await changes.wait(for: watch, until: nil) }
        try await self.time.waitForSleepers(1)
        #expect(changes.knowledge(of: self.id) == .pending)
        version.withLock { $0 = 2 }
        await self.time.advance(by: .seconds(1))
        guard case .changed = try await waiting.value else { return #expect(Bool(false)) }
        #expect(changes.knowledge(of: self.id) == nil)
    }

    @Test func `who is cancelled waits no longer, whenever it comes`() async throws {
        let changes = self.changes()
        let first = changes.watch(.messages)
        _ = try await changes.wait(for: first, until: nil)
        let watch = changes.watch(.messages)
        let waiting = Task { try await changes.wait(for: watch, until: nil) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        await #expect(throws: CancellationError.self) { _ = try await changes.wait(for: watch, until: nil) }
        changes.unwatch(watch)
    }
}
#endif
