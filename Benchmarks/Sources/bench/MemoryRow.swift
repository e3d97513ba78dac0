import CacheKit
import Harness
import ScaleCore

/// A hit in memory beside a dictionary behind the same lock.
enum MemoryRow {
    private static let keys = (0..<1_000).map { "user:\($0):profile" }
    private static let passes = 500

    static func measure(rounds: Int) async throws -> [Comparison] {
        let cache = Cache(store: MemoryStore(), namespace: "bench")
        let dictionary = Box()
        for (index, key) in Self.keys.enumerated() {
            try await cache.set(index, for: key, expiresIn: nil)
            dictionary.values.withLock { $0[key] = index }
        }
        let pairs = try await interleaved(rounds: rounds) {
            Self.nanosecondsPerHit { cache.cached(for: $0, as: Int.self) }
        } theirs: {
            Self.nanosecondsPerHit { key in dictionary.values.withLock { $0[key] } }
        }
        return [
            Comparison(name: "memory hit, cached(for:)", against: "Locked + Dictionary", unit: "ns", bound: .max, limit: 2, rounds: pairs)
        ]
    }

    private final class Box: Sendable {
        let values = Locked<[String: Int]>([:])
    }

    @inline(never)
    private static func nanosecondsPerHit(_ read: (String) -> Int?) -> Double {
        let clock = ContinuousClock()
        var sum = 0
        let elapsed = clock.measure {
            for _ in 0..<Self.passes {
                for key in Self.keys { sum &+= read(key) ?? 0 }
            }
        }
        // Keeps the reads from being optimized away.
        if sum == .min { print(sum) }
        return (elapsed / .nanoseconds(1)) / Double(Self.passes * Self.keys.count)
    }
}
