import Foundation
import ScaleCore
import ScaleTesting

@testable import CacheKit

extension SimulatedWorld {
    /// Plans what the nodes do and what befalls them, plays it, and lets everybody read once more when all is calm.
    func play() {
        for number in 1...self.settings.actions {
            self.after(.microseconds(Int.random(in: 0...(self.settings.span * 1_000), using: &self.random))) { self.act(number) }
        }
        if self.settings.isCrowded { self.crowd() }
        self.run()
        if self.violations.isEmpty { self.checkProgress() }
    }

    private func act(_ number: Int) {
        guard let node = self.nodes.randomElement(using: &self.random), let key = Self.keys.randomElement(using: &self.random) else {
            return
        }
        if self.chance(self.settings.losses) { return self.befall(node) }
        if self.chance(self.settings.invalidations) {
            return self.chance(80) ? node.writeAndInvalidate(key) : node.update(key)
        }
        let fence = self.chance(25) ? self.latestFence : nil
        // Now and then several at once.
        for _ in 0...(self.chance(30) ? 2 : 0) { SimulatedRead(key, on: node, number: number, fence: fence).start() }
    }

    private func befall(_ node: SimulatedNode) {
        switch Int.random(in: 0..<6, using: &self.random) {
        case 0: node.crash()
        case 1: self.restartStore()
        default: self.loseSomething()
        }
    }

    /// One node asks again and again, and each time what it loads is outdated when it comes; the others wait for it.
    private func crowd() {
        guard let busy = self.nodes.first else { return }
        func ask(_ number: Int) {
            guard number < 1_000 + self.settings.span / 100 else { return }
            SimulatedRead("a", on: busy, number: number, fence: nil) { _, _ in ask(number + 1) }.start()
            self.after(.milliseconds(20)) { busy.invalidate(.tag("t-a"), "a") }
        }
        ask(1_000)
    }

    /// When nothing interferes any more, a read fills the store and the next one is a hit, on whichever nodes.
    private func checkProgress() {
        for key in Self.keys {
            let first = self.finalRead(key, on: self.nodes.first)
            let second = self.finalRead(key, on: self.nodes.last)
            guard self.violations.isEmpty else { return }
            guard first != nil, let second, second.isHit else {
                return self.violate("\(key) is not stored although nothing interferes")
            }
        }
    }

    private func finalRead(_ key: String, on node: SimulatedNode?) -> (version: Int, isHit: Bool)? {
        guard let node else { return nil }
        var result: (version: Int, isHit: Bool)?
        SimulatedRead(key, on: node, number: 0, fence: nil) { version, isHit in
            if let version { result = (version, isHit) }
        }.start()
        self.run()
        return result
    }
}

/// Many schedules from one seed.
struct Simulation: Sendable {
    /// What was found.
    struct Finding: Sendable, CustomStringConvertible {
        let seed: UInt64
        let violation: String
        let trace: [String]

        var description: String {
            "schedule 0x\(String(self.seed, radix: 16)): \(self.violation)\n" + self.trace.suffix(60).joined(separator: "\n")
        }
    }

    // The thread sanitizer sees one thread here, and is slow.
    #if SCALE_TSAN
    private static let share = 20
    #else
    private static let share = 1
    #endif

    var schedules: Int
    var settings = SimulatedWorld.Settings()

    /// The first schedule that breaks the contract, with what happened in it.
    func firstViolation(_ random: inout SeededGenerator) async -> Finding? {
        let seeds = random.split()
        return await Self.onAThreadOfItsOwn { self.search(seeds) }
    }

    /// Runs what computes for seconds beside Swift's own few threads, which the other tests need.
    static func onAThreadOfItsOwn<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: body()) }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    private func search(_ seeds: SeededGenerator) -> Finding? {
        var seeds = seeds
        for _ in 0..<(self.schedules / Self.share) {
            let seed = seeds.next()
            guard !self.play(seed, isTracing: false).violations.isEmpty else { continue }
            let replay = self.play(seed, isTracing: true)
            return Finding(seed: seed, violation: replay.violations.first ?? "not found again in the replay", trace: replay.trace)
        }
        return nil
    }

    private func play(_ seed: UInt64, isTracing: Bool) -> (violations: [String], trace: [String]) {
        let world = SimulatedWorld(seed: seed, settings: self.settings, isTracing: isTracing)
        defer { world.tearDown() }
        world.play()
        return (world.violations, world.trace ?? [])
    }
}
