import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

@Suite struct ExpiryHeapTests {
    @Test func `the earliest end is found whatever was set and removed`() async throws {
        try await withSeed { random in
            var heap = ExpiryHeap()
            var model: [Int: Int64] = [:]
            for _ in 0..<2_000 {
                let slot = Int.random(in: 0..<40, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    heap.remove(slot)
                    model[slot] = nil
                case 1:
                    heap.set(slot, end: .distantFuture)
                    model[slot] = nil
                default:
                    let end = Int64.random(in: -50...50, using: &random)
                    heap.set(slot, end: Instant(nanoseconds: end))
                    model[slot] = end
                }
                try expectEqual(heap.count, model.count)
                try expectEqual(heap.earliest?.end.nanoseconds, model.values.min())
                if let earliest = heap.earliest { try expectEqual(model[earliest.slot], earliest.end.nanoseconds) }
            }
        }
    }
}
