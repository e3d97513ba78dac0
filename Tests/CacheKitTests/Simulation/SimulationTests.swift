import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// Random schedules of loads, invalidations, fenced reads, updates, delays, lost messages, crashes and losses at the store, against the
/// contract: nothing older than what was confirmed is read or stored, progress is made, and every wait ends.
///
/// One at a time: they compute, and the other tests need the processor too.
@Suite(.serialized) struct SimulationTests {
    @Test func `no schedule breaks the contract`() async throws {
        try await withSeed { random in
            if let finding = await Simulation(schedules: 1_000).firstViolation(&random) { throw TestFailure("\(finding)") }
        }
    }

    @Test func `no schedule without faults breaks the contract`() async throws {
        var settings = SimulatedWorld.Settings()
        (settings.faults, settings.losses, settings.longestDelay, settings.invalidations) = (0, 0, 40, 50)
        try await withSeed { random in
            if let finding = await Simulation(schedules: 500, settings: settings).firstViolation(&random) {
                throw TestFailure("\(finding)")
            }
        }
    }

    @Test func `a schedule is played again from its seed`() async throws {
        try await withSeed { random in
            let seed = random.next()
            let traces = (0..<2).map { _ in
                let world = SimulatedWorld(seed: seed, isTracing: true)
                defer { world.tearDown() }
                world.play()
                return world.trace
            }
            try expect((traces[0]?.count ?? 0) > 10, "hardly anything happened")
            try expectEqual(traces[0], traces[1])
        }
    }

    @Test func `the schedules reach what they are for`() async throws {
        try await withSeed { random in
            let seeds = random.split()
            let reached = await Simulation.onAThreadOfItsOwn {
                var seeds = seeds
                var (reads, joins, confirmed) = (0, 0, 0)
                for _ in 0..<100 {
                    let world = SimulatedWorld(seed: seeds.next())
                    defer { world.tearDown() }
                    world.play()
                    reads += world.reads
                    joins += world.joins
                    if world.latestFence != nil { confirmed += 1 }
                }
                return [reads, joins, confirmed]
            }
            try expect(reached[0] > 500, "\(reached[0]) reads")
            try expect(reached[1] > 25, "\(reached[1]) joins")
            try expect(reached[2] > 70, "\(reached[2]) schedules with a confirmed invalidation")
        }
    }
}

// Not under the thread sanitizer: it takes many schedules, and they run on one thread.
#if !SCALE_TSAN
extension SimulationTests {
    /// A checker that finds nothing proves nothing: each rule is switched off, and must be missed.
    @Suite(.serialized) struct WithoutRules {
        private func expectViolation(_ change: (inout SimulatedWorld.Settings) -> Void) async throws {
            var settings = SimulatedWorld.Settings()
            change(&settings)
            try await withSeed { random in
                guard await Simulation(schedules: 100_000, settings: settings).firstViolation(&random) != nil else {
                    throw TestFailure("the checker does not miss the rule")
                }
            }
        }

        private func expectNoViolation(schedules: Int, _ change: (inout SimulatedWorld.Settings) -> Void) async throws {
            var settings = SimulatedWorld.Settings()
            change(&settings)
            try await withSeed { random in
                if let finding = await Simulation(schedules: schedules, settings: settings).firstViolation(&random) {
                    throw TestFailure("\(finding)")
                }
            }
        }

        @Test func `joining without evidence is found`() async throws {
            try await self.expectViolation { $0.rules.joinsOnEvidence = false }
        }

        @Test func `joining without comparing epochs is found`() async throws {
            try await self.expectViolation { $0.rules.comparesEpochsToJoin = false }
        }

        @Test func `stamping a tag of the loader without comparing the sequence is found`() async throws {
            try await self.expectViolation { $0.rules.comparesSequence = false }
        }

        @Test func `stamping epochs that were read after the load is found`() async throws {
            try await self.expectViolation { $0.rules.stampsEarlyEpochs = false }
        }

        /// Evidence alone would keep fenced reads right, so this rule is tested where there is none, as behind a memory tier.
        @Test func `a fenced read that joins the loads of others is found`() async throws {
            try await self.expectNoViolation(schedules: 300) {
                $0.rules.joinsOnEvidence = false
                $0.judgesFencedReadsOnly = true
            }
            try await self.expectViolation {
                $0.rules.joinsOnEvidence = false
                $0.rules.fencedReadsWait = false
                $0.judgesFencedReadsOnly = true
            }
        }

        @Test func `waiting without bound is found`() async throws {
            let crowd: (inout SimulatedWorld.Settings) -> Void = {
                ($0.isCrowded, $0.faults, $0.losses, $0.longestDelay) = (true, 0, 0, 5)
                ($0.longestLoad, $0.span, $0.actions) = (900, 6_000, 6)
            }
            try await self.expectNoViolation(schedules: 60, crowd)
            try await self.expectViolation {
                crowd(&$0)
                $0.rules.boundsWaiting = false
            }
        }

        @Test func `a store that does not compare tokens is found`() async throws {
            try await self.expectViolation { $0.store.comparesTokens = false }
        }

        @Test func `changing the sequence after the epoch is found`() async throws {
            try await self.expectViolation { $0.store.changesSequenceFirst = false }
        }

        @Test func `epochs that come back are found`() async throws {
            try await self.expectViolation { $0.store.drawsEpochsAtRandom = false }
        }

        @Test func `forgetting what was not confirmed is found`() async throws {
            try await self.expectViolation { $0.store.journalsWhatIsNotConfirmed = false }
        }
    }
}
#endif
