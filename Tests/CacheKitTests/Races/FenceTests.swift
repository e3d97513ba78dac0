import Foundation
import ScaleTesting
import Testing

@testable import CacheKit

/// Reads that must see one invalidation for certain.
@Suite struct FenceTests {
    /// one:   ──────────── loads ───────────────────── stores
    /// one:   invalidates ────── reads with the fence ─ waits ─ finds what was stored
    @Test func `a read with a fence waits for a load that others opened, and does not join it`() async throws {
        let nodes = Nodes()
        let fence = try await nodes.other.invalidate(key: "k")
        let loading = Gate("the load of others")
        async let others = nodes.one.value(for: "k") {
            try await loading.pass()
            return "stored"
        }
        try await loading.waitForArrivals()
        async let fenced = nodes.one.lookup(for: "k", fence: fence) { "of its own" }
        try await nodes.time.waitForSleepers(1)
        loading.open()
        #expect(try await others == "stored")
        await nodes.time.advance(by: .milliseconds(50))
        #expect(try await fenced == CacheResult(value: "stored", outcome: .joined))
    }

    @Test func `a read with a fence does not wait for ever for a load that does not end`() async throws {
        let nodes = Nodes(poll: .seconds(2) ... .seconds(4))
        let fence = try await nodes.other.invalidate(key: "k")
        let loading = Gate("the load of others")
        let others = Task {
            try await nodes.one.value(for: "k") {
                try await loading.pass(isCancellable: false)
                return "late"
            }
        }
        try await loading.waitForArrivals()
        let cache = nodes.one
        let fenced = try await nodes.time.run(upTo: .seconds(40)) { try await cache.value(for: "k", fence: fence) { "of its own" } }
        #expect(fenced == "of its own")
        loading.open()
        #expect(try await others.value == "late")
    }

    @Test func `reads with the same fence share one load`() async throws {
        let nodes = Nodes()
        let fence = try await nodes.other.invalidate(tag: "t")
        let loading = Gate("the load")
        async let first = nodes.one.lookup(for: "k", tags: ["t"], fence: fence) {
            try await loading.pass()
            return 1
        }
        try await loading.waitForArrivals()
        async let second = nodes.one.lookup(for: "k", tags: ["t"], fence: fence) { 2 }
        try await eventually("the second waits") { nodes.one.flights.waiterCount == 2 }
        loading.open()
        #expect(try await first == CacheResult(value: 1, outcome: .loaded))
        #expect(try await second == CacheResult(value: 1, outcome: .joined))
    }

    @Test func `a fence can travel in a message`() async throws {
        let nodes = Nodes()
        let fence = try await nodes.one.invalidate(tags: ["t", "u"])
        let copy = try JSONDecoder().decode(CacheFence.self, from: JSONEncoder().encode(fence))
        #expect(copy == fence)
        #expect(try await nodes.other.value(for: "k", fence: copy) { 1 } == 1)
    }
}
