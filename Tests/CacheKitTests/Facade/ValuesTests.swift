import ScaleTesting
import Testing

@testable import CacheKit

/// The verbs on values, on a store of objects and on a store of bytes.
@Suite struct ValuesTests {
    enum Kind: CaseIterable, Sendable { case objects, bytes }

    private func makeCache(_ kind: Kind, namespace: String = "n") -> Cache {
        switch kind {
        case .objects: Cache(store: MemoryStore(), namespace: namespace)
        case .bytes: Cache(store: LesserStore.ofBytes(), namespace: namespace)
        }
    }

    @Test(arguments: Kind.allCases) func `a cached nil, false, zero or empty list is a hit`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        let loads = Tally()
        for expected in [CacheResult<Int>.Outcome.loaded, .hit] {
            let outcomes = [
                try await cache.lookup(for: "nil") { loads.add(returning: String?.none) }.outcome == .loaded,
                try await cache.lookup(for: "false") { loads.add(returning: false) }.outcome == .loaded,
                try await cache.lookup(for: "zero") { loads.add(returning: 0) }.outcome == .loaded,
                try await cache.lookup(for: "list") { loads.add(returning: [Int]()) }.outcome == .loaded,
                try await cache.lookup(for: "text") { loads.add(returning: "") }.outcome == .loaded,
            ]
            #expect(outcomes.allSatisfy { $0 == (expected == .loaded) })
        }
        #expect(loads.value == 5)
        #expect(try await cache.get("nil", as: String?.self) == .some(nil))
        #expect(try await cache.get("none", as: String?.self) == nil)
        #expect(try await cache.getMany(["nil", "none"], as: String?.self) == ["nil": nil])
        for key in ["nil", "false", "zero", "list", "text"] { #expect(try await cache.contains(key)) }
        // A nil is none of a type that has no nil.
        #expect(try await cache.get("nil", as: String.self) == nil)
    }

    @Test(arguments: Kind.allCases) func `many are read and written at once: none, one, and more`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        #expect(try await cache.setMany([String: Int]()).isEmpty)
        #expect(try await cache.getMany([], as: Int.self).isEmpty)
        #expect(try await cache.setMany(["a": 1]).isEmpty)
        #expect(try await cache.getMany(["a"], as: Int.self) == ["a": 1])
        let values = Dictionary(uniqueKeysWithValues: (0..<300).map { ("k\($0)", $0) })
        #expect(try await cache.setMany(values, tags: ["t"]).isEmpty)
        #expect(try await cache.getMany(values.keys.sorted() + ["none", "k1"], as: Int.self) == values)
        #expect(try await cache.getMany(AnySequence(["a", "a", "b"]), as: Int.self) == ["a": 1])
        try await cache.invalidate(tag: "t")
        #expect(try await cache.getMany(values.keys, as: Int.self).isEmpty)
        #expect(try await cache.get("a", as: Int.self) == 1)
        try await cache.deleteMany([])
        try await cache.deleteMany(["a", "none"])
        #expect(try await cache.contains("a") == false)
    }

    @Test func `of many values the ones that cannot be stored are named, and their older values removed`() async throws {
        let store = MemoryStore(limits: MemoryLimits(maximumCost: 2_000))
        let cache = Cache(store: store)
        try await cache.set([UInt8](), for: "large")
        let failures = try await cache.setMany(["small": [1], "large": [UInt8](repeating: 1, count: 3_000)])
        #expect(failures.mapValues(\.code) == ["large": .valueTooLarge])
        #expect(try await cache.getMany(["small", "large"], as: [UInt8].self) == ["small": [1]])
    }

    @Test(arguments: Kind.allCases) func `add stores only where nothing is, replace only where something is`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        #expect(try await cache.replace(1, for: "k") == false)
        #expect(try await cache.add(1, for: "k"))
        #expect(try await cache.add(2, for: "k") == false)
        #expect(try await cache.get("k", as: Int.self) == 1)
        #expect(try await cache.replace(3, for: "k"))
        #expect(try await cache.get("k", as: Int.self) == 3)
        // A cached nothing is something; an entry whose tag was invalidated is nothing.
        #expect(try await cache.add(Int?.none, for: "nil"))
        #expect(try await cache.add(Int?.some(1), for: "nil") == false)
        try await cache.set(1, for: "tagged", tags: ["t"])
        try await cache.invalidate(tag: "t")
        #expect(try await cache.replace(2, for: "tagged") == false)
        #expect(try await cache.add(2, for: "tagged"))
    }

    @Test(arguments: Kind.allCases) func `delete says whether there was a value`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        #expect(try await cache.delete("k") == false)
        try await cache.set(1, for: "k")
        #expect(try await cache.delete("k"))
        #expect(try await cache.delete("k") == false)
    }

    @Test(arguments: Kind.allCases) func `keys are any strings, compared by their bytes`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        let long = String(repeating: "k", count: 10_000)
        let keys = [
            "", " ", "a b", "a\nb", "\r\nDEL x", "a\0", "\u{7F}", "%", ":", "\u{E9}", "e\u{301}", "K", "k", long, long + "k", "🇯🇵",
            "\u{FFFD}",
        ]
        for (index, key) in keys.enumerated() { try await cache.set(index, for: key) }
        for (index, key) in keys.enumerated() {
            #expect(try await cache.get(key, as: Int.self) == index)
            #expect(try await cache.add(-1, for: key) == false)
            #expect(try await cache.touch(key))
            #expect(try await cache.value(for: key) { -1 } == index)
        }
        for key in keys {
            try await cache.invalidate(key: key)
            #expect(try await cache.contains(key) == false)
        }
    }

    @Test(arguments: Kind.allCases)
    func `tags, keys and namespaces that are equal as Swift strings and not in their bytes are apart`(kind: Kind) async throws {
        let (one, other) = ("caf\u{E9}", "cafe\u{301}")
        let cache = self.makeCache(kind)
        for tag in [one, other] {
            #expect(try await cache.lookup(for: "k", tags: [one, other]) { 1 }.outcome == .loaded)
            #expect(try await cache.lookup(for: "k", tags: [one, other]) { 2 }.outcome == .hit)
            try await cache.invalidate(tag: tag)
            #expect(try await cache.contains("k") == false)
            // Tags that only the loader knows.
            _ = try await cache.lookup(for: "k") { context in
                context.addTag(one)
                context.addTag(other)
                return 3
            }
            #expect(try await cache.contains("k"))
            try await cache.invalidate(tag: tag)
            #expect(try await cache.contains("k") == false)
        }
        let store = MemoryStore()
        try await Cache(store: store, namespace: one).set(1, for: "k")
        #expect(try await Cache(store: store, namespace: other).contains("k") == false)
    }

    @Test(arguments: Kind.allCases) func `tags are any strings of 1 to 65535 bytes, at most 254`(kind: Kind) async throws {
        let cache = self.makeCache(kind)
        let longest = String(repeating: "t", count: 65_535)
        for tag in [" ", "a\nb", "\u{E9}", longest] {
            try await cache.set(1, for: "k", tags: [tag, tag])
            #expect(try await cache.get("k", as: Int.self) == 1)
            try await cache.invalidate(tag: "e\u{301}")
            #expect(try await cache.contains("k"))
            try await cache.invalidate(tag: tag)
            #expect(try await cache.contains("k") == false)
        }
        let many = (0..<255).map { "t\($0)" }
        try await cache.set(1, for: "k", tags: Array(many.prefix(254)))
        try await cache.invalidate(tag: "t253")
        #expect(try await cache.contains("k") == false)
        for tags in [[""], [longest + "t"], many] {
            let error = await #expect(throws: CacheError.self) { try await cache.set(1, for: "k", tags: tags) }
            #expect(error?.code == .invalidTag)
            let loading = await #expect(throws: CacheError.self) { try await cache.value(for: "k", tags: tags) { 1 } }
            #expect(loading?.code == .invalidTag)
        }
        let error = await #expect(throws: CacheError.self) { try await cache.invalidate(tag: "") }
        #expect(error?.code == .invalidTag)
        try await cache.invalidate(tags: many)
        // Bad tags of a loader are an error too, and give the lease back.
        let added = await #expect(throws: CacheError.self) {
            try await cache.lookup(for: "l") { context in
                context.addTag("")
                return 1
            }
        }
        #expect(added?.code == .invalidTag)
        #expect(try await cache.lookup(for: "l") { 2 }.outcome == .loaded)
    }

    @Test(arguments: Kind.allCases) func `namespaces are worlds of their own`(kind: Kind) async throws {
        let base = MemoryStore()
        let store: any CacheStore = kind == .objects ? base : LesserStore.ofBytes(base)
        let (one, other) = (Cache(store: store, namespace: "one"), Cache(store: store, namespace: "one:v"))
        try await one.set(1, for: "k", tags: ["t"])
        try await other.set(2, for: "k", tags: ["t"])
        try await one.invalidate(tag: "t")
        #expect(try await one.get("k", as: Int.self) == nil)
        #expect(try await other.get("k", as: Int.self) == 2)
        try await one.set(1, for: "k")
        _ = try await one.increment("n", initial: 0)
        try await one.invalidateAll()
        #expect(try await one.get("k", as: Int.self) == nil)
        #expect(try await one.counter("n") == 1)
        #expect(try await other.get("k", as: Int.self) == 2)
    }

    @Test func `a mutable value that was read does not change what is stored`() async throws {
        let cache = self.makeCache(.objects)
        try await cache.set([1, 2], for: "k")
        var read = try #require(try await cache.get("k", as: [Int].self))
        read.append(3)
        #expect(cache.cached(for: "k") == [1, 2])
    }

    @Test func `what does not depend on the store's memory answers without it`() async throws {
        let cache = self.makeCache(.bytes)
        try await cache.set(1, for: "k")
        #expect(cache.cached(for: "k", as: Int.self) == nil)
        #expect(try await cache.lookup(for: "k") { 2 } == CacheResult(value: 1, outcome: .hit))
    }
}
