import ScaleCore
import ScaleTesting
import Testing

@testable import QueueKit

@Suite struct WorkerEngineTests {
    private static let limits = WorkerEngine.Limits(
        lease: .seconds(30), grace: .seconds(20), cancellationGrace: .seconds(5))

    private static let settings = WorkerSettings(concurrency: 2, queues: ["celery"])

    private static func at(_ seconds: Int) -> Instant { Instant(nanoseconds: Int64(seconds) * 1_000_000_000) }

    private static func admit(_ engine: inout WorkerEngine, at seconds: Int) throws -> WorkerEngine.Slot {
        try require(engine.admit(at: self.at(seconds)))
    }

    @Test func `a worker at rest has no deadline and wants as many messages as it has slots`() {
        let engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        #expect(engine.nextDeadline == nil)
        #expect(engine.nextStep() == .receive(limit: 2))
    }

    @Test func `a job is called off while its handler runs, and only then; its limits are over and its slot is not free yet`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        #expect(engine.revoke(slot) == nil)
        _ = engine.handlerStarts(slot, softLimit: .seconds(1), hardLimit: .seconds(2), at: Self.at(0))
        #expect(engine.revoke(slot) == .giveUpRevoked(slot))
        #expect(engine.tick(at: Self.at(5)) == [])
        engine.settled(slot)
        #expect(engine.occupiedSlots == 1)
        #expect(engine.revoke(slot) == nil)
        #expect(engine.handlerEnded(slot) == .revocation)
        #expect(engine.occupiedSlots == 0)
        #expect(engine.revoke(slot) == nil)
    }

    @Test func `a job whose lease is lost cannot be called off`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        _ = engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: Self.at(0))
        _ = engine.leaseRefused(slot)
        #expect(engine.revoke(slot) == nil)
    }

    @Test func `a slot is free again when the message is settled and the handler has ended`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let first = try Self.admit(&engine, at: 0)
        let second = try Self.admit(&engine, at: 0)
        #expect(engine.nextStep() == .wait)
        let started = engine.handlerStarts(first, softLimit: nil, hardLimit: nil, at: Self.at(0))
        #expect(started)
        engine.settled(first)
        #expect(engine.nextStep() == .wait, "its handler runs")
        #expect(engine.handlerEnded(first) == nil)
        #expect(engine.nextStep() == .receive(limit: 1))
        engine.settled(second)
        #expect(engine.nextStep() == .receive(limit: 2))
        #expect(engine.nextDeadline == nil)
    }

    @Test func `leases are extended at every third, and given up at nine tenths without success`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        #expect(engine.nextDeadline == Self.at(10))
        #expect(engine.tick(at: Self.at(9)) == [])
        #expect(engine.tick(at: Self.at(10)) == [.extend([slot])])
        engine.extended(slot, requestedAt: Self.at(10))
        #expect(engine.tick(at: Self.at(20)) == [.extend([slot])])
        #expect(engine.tick(at: Self.at(30)) == [.extend([slot])])
        #expect(engine.tick(at: Self.at(36)) == [])
        #expect(engine.holdsLease(slot, at: Self.at(36)))
        #expect(engine.tick(at: Self.at(37)) == [.giveUpLease(slot)])
        #expect(!engine.holdsLease(slot, at: Self.at(37)))
        #expect(engine.tick(at: Self.at(38)) == [])
    }

    @Test func `a refused extension gives the lease up once`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        #expect(engine.leaseRefused(slot) == .giveUpLease(slot))
        #expect(engine.leaseRefused(slot) == nil)
        #expect(engine.leaseRefused(99) == nil)
        let started = engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: Self.at(0))
        #expect(!started)
    }

    @Test func `an extension that is refused after the message was settled says nothing`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        _ = engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: Self.at(0))
        engine.settled(slot)
        #expect(engine.leaseRefused(slot) == nil)
    }

    @Test func `limits pass in order, and the hard one alone when both are due`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        _ = engine.handlerStarts(slot, softLimit: .seconds(2), hardLimit: .seconds(4), at: Self.at(0))
        #expect(engine.nextDeadline == Self.at(2))
        #expect(engine.tick(at: Self.at(2)) == [.cancelAtSoftLimit(slot)])
        #expect(engine.tick(at: Self.at(3)) == [])
        #expect(engine.tick(at: Self.at(4)) == [.giveUpAtHardLimit(slot)])
        #expect(engine.handlerEnded(slot) == .softLimit)
        let other = try Self.admit(&engine, at: 4)
        _ = engine.handlerStarts(other, softLimit: .seconds(1), hardLimit: .seconds(2), at: Self.at(4))
        #expect(engine.tick(at: Self.at(6)) == [.giveUpAtHardLimit(other)])
    }

    @Test func `a shutdown drains, cancels and stops, each in its time`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        _ = engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: Self.at(0))
        _ = engine.shutdown(at: Self.at(1))
        #expect(engine.phase == .draining(until: Self.at(21)))
        #expect(engine.admit(at: Self.at(2)) == nil)
        #expect(engine.nextStep() == .wait)
        _ = engine.tick(at: Self.at(10))
        engine.extended(slot, requestedAt: Self.at(10))
        #expect(engine.tick(at: Self.at(21)).contains(.cancelForShutdown(slot)))
        #expect(engine.phase == .cancelling(until: Self.at(26)))
        _ = engine.shutdown(at: Self.at(22))
        #expect(engine.phase == .cancelling(until: Self.at(26)), "a second shutdown changes nothing")
        _ = engine.tick(at: Self.at(26))
        #expect(engine.phase == .stopped)
        #expect(engine.nextStep() == .stop)
    }

    @Test func `a worker that has stopped extends no lease of what it left behind`() throws {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        let slot = try Self.admit(&engine, at: 0)
        _ = engine.handlerStarts(slot, softLimit: nil, hardLimit: nil, at: Self.at(0))
        _ = engine.shutdownNow(at: Self.at(1))
        _ = engine.tick(at: Self.at(6))
        #expect(engine.phase == .stopped)
        #expect(engine.nextDeadline == nil)
        #expect(engine.tick(at: Self.at(10)) == [])
    }

    @Test func `an idle worker stops at once`() {
        var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
        _ = engine.shutdown(at: Self.at(0))
        #expect(engine.nextStep() == .stop)
    }

    /// Random events in random order: whatever happens, the invariants hold.
    @Test func `no schedule breaks the rules`() async throws {
        try await withSeeds(300) { random in
            var engine = WorkerEngine(limits: Self.limits, settings: Self.settings)
            var now = Self.at(0)
            var handlers: Set<WorkerEngine.Slot> = []
            var unsettled: Set<WorkerEngine.Slot> = []
            var givenUp: Set<WorkerEngine.Slot> = []
            var isShuttingDown = false
            for _ in 0..<200 {
                switch Int.random(in: 0..<9, using: &random) {
                case 0, 1:
                    if case .receive(let limit) = engine.nextStep() {
                        try expect(!isShuttingDown && limit > 0 && limit <= 2)
                        let slot = try require(engine.admit(at: now))
                        try expect(unsettled.insert(slot).inserted)
                    }
                case 2:
                    guard let slot = unsettled.subtracting(handlers).min(), !givenUp.contains(slot) else { break }
                    if engine.handlerStarts(
                        slot, softLimit: .seconds(Int.random(in: 1..<20, using: &random)), hardLimit: .seconds(20), at: now)
                    {
                        handlers.insert(slot)
                    }
                case 3:
                    if let slot = handlers.randomElement(using: &random) {
                        handlers.remove(slot)
                        _ = engine.handlerEnded(slot)
                    }
                case 4:
                    if let slot = unsettled.randomElement(using: &random) {
                        unsettled.remove(slot)
                        engine.settled(slot)
                    }
                case 5:
                    if let slot = unsettled.randomElement(using: &random) { engine.extended(slot, requestedAt: now) }
                case 6:
                    if let slot = unsettled.randomElement(using: &random), case .giveUpLease = engine.leaseRefused(slot) {
                        try expect(givenUp.insert(slot).inserted, "given up twice")
                    }
                case 7 where Int.random(in: 0..<40, using: &random) == 0:
                    _ = engine.shutdown(at: now)
                    isShuttingDown = true
                default:
                    now = now.advanced(by: .milliseconds(Int.random(in: 0..<6_000, using: &random)))
                    for effect in engine.tick(at: now) {
                        switch effect {
                        case .giveUpLease(let slot): try expect(givenUp.insert(slot).inserted, "given up twice")
                        case .cancelAtSoftLimit(let slot), .giveUpAtHardLimit(let slot), .cancelForShutdown(let slot),
                            .giveUpRevoked(let slot):
                            try expect(handlers.contains(slot), "a handler that does not run was cancelled")
                        case .giveBack: throw TestFailure("nobody waits for a turn")
                        case .extend(let slots):
                            try expect(
                                unsettled.isSuperset(of: slots) && givenUp.isDisjoint(with: slots), "somebody else's lease was extended")
                        }
                    }
                }
                try expectEqual(engine.occupiedSlots, unsettled.union(handlers).count, "slots")
                try expect(handlers.count <= 2, "too many handlers")
                if engine.phase == .stopped || engine.occupiedSlots == 0 {
                    try expectEqual(engine.nextDeadline, nil, "a worker at rest has a deadline")
                }
            }
        }
    }
}

@Suite struct RetryDecisionTests {
    private static let policy = JobRetryPolicy(maximumRetries: 2, usesJitter: false)

    private static func decision(_ outcome: JobOutcome, retries: Int = 0) -> RetryDecision {
        RetryDecision(after: outcome, retries: retries, policy: Self.policy, fraction: 0.5)
    }

    @Test func `each outcome has its decision`() {
        let failure = JobFailure("ValueError", "boom")
        let permanent = JobFailure("ValueError", "boom", isPermanent: true)
        #expect(Self.decision(.returned(5)) == .succeed(5))
        #expect(Self.decision(.threw(failure)) == .retry(after: .seconds(1), failure))
        #expect(Self.decision(.threw(failure), retries: 1) == .retry(after: .seconds(2), failure))
        #expect(Self.decision(.threw(failure), retries: 2) == .fail(failure))
        #expect(Self.decision(.threw(failure), retries: .max) == .fail(failure))
        #expect(Self.decision(.threw(permanent)) == .fail(permanent))
        #expect(Self.decision(.interrupted) == .release)
        #expect(Self.decision(.lostLease) == .abandon)
        #expect(Self.decision(.revoked) == .revoke)
        #expect(Self.decision(.exceededHardLimit(.seconds(1))) == .fail(.hardTimeLimit(.seconds(1))))
        #expect(
            Self.decision(.exceededSoftLimit(.seconds(1), CancellationError())) == .retry(after: .seconds(1), .softTimeLimit(.seconds(1))))
        #expect(Self.decision(.exceededSoftLimit(.seconds(1), permanent)) == .fail(permanent))
        #expect(Self.decision(.threw(RetryRequest(delay: .seconds(9), reason: failure))) == .retry(after: .seconds(9), failure))
        #expect(Self.decision(.threw(RetryRequest(delay: .seconds(-9), reason: failure))) == .retry(after: .zero, failure))
        #expect(Self.decision(.threw(RetryRequest(delay: nil, reason: failure)), retries: 2) == .fail(failure))
    }
}
