import CacheKit
import ScaleTesting
import Testing

/// Interleavings that break a cache without leases, epochs and joins on evidence; each test draws and then forces one.
@Suite struct InvalidationRaceTests {
    /// one:   loads (reads the old row) ──────────────────── returns old ─ must not store
    /// other:                              invalidates the key
    @Test(arguments: [true, false]) func `a load in flight cannot undo the invalidation of its key`(onSameNode: Bool) async throws {
        let nodes = Nodes()
        let loading = Gate("the old load")
        async let old = nodes.one.value(for: "k") {
            try await loading.pass()
            return "old"
        }
        try await loading.waitForArrivals()
        try await (onSameNode ? nodes.one : nodes.other).invalidate(key: "k")
        // Readers after the invalidation neither join the old load nor wait for it.
        for node in [nodes.one, nodes.other] {
            #expect(try await node.value(for: "k") { "new" } == "new")
        }
        loading.open()
        #expect(try await old == "old")
        #expect(try await nodes.stored("k") == "new")
    }

    /// As above, by tag: the tag's epoch was captured before the loader ran.
    @Test(arguments: [true, false]) func `a load in flight cannot undo the invalidation of a tag`(onSameNode: Bool) async throws {
        let nodes = Nodes()
        let loading = Gate("the old load")
        async let old = nodes.one.value(for: "k", tags: ["t"]) {
            try await loading.pass()
            return "old"
        }
        try await loading.waitForArrivals()
        try await (onSameNode ? nodes.one : nodes.other).invalidate(tag: "t")
        for node in [nodes.one, nodes.other] {
            #expect(try await node.value(for: "k", tags: ["t"]) { "new" } == "new")
        }
        loading.open()
        #expect(try await old == "old")
        #expect(try await nodes.one.value(for: "k", tags: ["t"]) { "newer" } == "new")
    }

    /// one:   loads (reads the old row) ──────────────── returns old ─ stores it, outdated
    /// other:                     invalidates the tag, reads: the lease is another node's, so it looks again until that ends
    @Test func `a reader elsewhere waits for the lease of an outdated load, and never takes its value`() async throws {
        let nodes = Nodes()
        let loading = Gate("the old load")
        async let old = nodes.one.value(for: "k", tags: ["t"]) {
            try await loading.pass()
            return "old"
        }
        try await loading.waitForArrivals()
        try await nodes.other.invalidate(tag: "t")
        async let new = nodes.other.value(for: "k", tags: ["t"]) { "new" }
        try await nodes.time.waitForSleepers(1)
        loading.open()
        #expect(try await old == "old")
        await nodes.time.advance(by: .milliseconds(50))
        #expect(try await new == "new")
        #expect(try await nodes.one.value(for: "k", tags: ["t"]) { "newer" } == "new")
    }

    /// one:   loads (reads the old row) ───────────────────────────── returns old ─ must not store
    /// other:                     ends the whole namespace
    @Test func `a load in flight cannot undo the invalidation of everything`() async throws {
        let nodes = Nodes()
        let loading = Gate("the old load")
        async let old = nodes.one.value(for: "k") {
            try await loading.pass()
            return "old"
        }
        try await loading.waitForArrivals()
        try await nodes.other.invalidateAll()
        #expect(try await nodes.one.value(for: "k") { "new" } == "new")
        loading.open()
        #expect(try await old == "old")
        #expect(try await nodes.stored("k") == "new")
    }

    /// one:   loads ─────────────────────────────────────────────── commits ─ refused
    /// other:        invalidates, loads anew ─ still loading ───────────────────────── commits
    @Test func `a fill of an old load does not take the place of a newer load`() async throws {
        let nodes = Nodes()
        let (oldLoad, newLoad) = (Gate("the old load"), Gate("the new load"))
        async let old = nodes.one.value(for: "k") {
            try await oldLoad.pass()
            return "old"
        }
        try await oldLoad.waitForArrivals()
        try await nodes.other.invalidate(key: "k")
        async let new = nodes.other.value(for: "k") {
            try await newLoad.pass()
            return "new"
        }
        try await newLoad.waitForArrivals()
        oldLoad.open()
        #expect(try await old == "old")
        #expect(try await nodes.stored("k") == nil)
        newLoad.open()
        #expect(try await new == "new")
        #expect(try await nodes.stored("k") == "new")
    }

    @Test func `after a tag's invalidation its entries are filled again`() async throws {
        let nodes = Nodes()
        for round in 0..<3 {
            let loaded = try await nodes.one.lookup(for: "k", tags: ["t"]) { round }
            #expect(loaded == CacheResult(value: round, outcome: .loaded))
            #expect(try await nodes.other.lookup(for: "k", tags: ["t"]) { -1 } == CacheResult(value: round, outcome: .hit))
            try await nodes.other.invalidate(tag: "t")
        }
    }

    /// one:   loads ─────────────────── its loader says "tag it t" ─ must not store
    /// other:        invalidates tag t
    @Test func `a tag that the loader adds is not stamped when it was invalidated during the load`() async throws {
        let nodes = Nodes()
        let loading = Gate("the load")
        async let old = nodes.one.lookup(for: "k") { context in
            try await loading.pass()
            context.addTag("t")
            return "old"
        }
        try await loading.waitForArrivals()
        try await nodes.other.invalidate(tag: "t")
        loading.open()
        #expect(try await old.value == "old")
        #expect(try await nodes.stored("k") == nil)
    }

    @Test func `a tag that the loader adds ends the entry`() async throws {
        let nodes = Nodes()
        _ = try await nodes.one.lookup(for: "k") { context in
            context.addTag("t")
            return "value"
        }
        #expect(try await nodes.stored("k") == "value")
        try await nodes.other.invalidate(tag: "t")
        #expect(try await nodes.stored("k") == nil)
    }

    /// one:   loads ─────────────────────────────── returns ─ must not store
    /// other:        set
    @Test func `a set during a load wins`() async throws {
        let nodes = Nodes()
        let loading = Gate("the load")
        async let old = nodes.one.value(for: "k") {
            try await loading.pass()
            return "loaded"
        }
        try await loading.waitForArrivals()
        try await nodes.other.set("set", for: "k")
        loading.open()
        #expect(try await old == "loaded")
        #expect(try await nodes.stored("k") == "set")
    }

    /// one:   update: lease taken ─ writes v1 ────────────────────────────── commits ─ refused, entry removed
    /// other:                                  update: writes v2, commits
    @Test func `of two updates the one that committed first in the database does not stay in the cache`() async throws {
        let nodes = Nodes()
        let writing = Gate("the write of v1")
        async let first = nodes.one.update("k") {
            try await writing.pass()
            return "v1"
        }
        try await writing.waitForArrivals()
        _ = try await nodes.other.update("k") { "v2" }
        writing.open()
        #expect(try await first == "v1")
        #expect(try await nodes.stored("k") != "v1")
    }
}
