import CacheKit
import CacheKitRedis
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

/// The cache's promises on a real server, through bytes and scripts.
@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisValuesTests {
    /// Runs `body` with a client and a namespace that nobody else uses.
    private func withRedis(_ body: (RedisClient, String) async throws -> Void) async throws {
        let redis = try RedisClient(try #require(TestServers.redis), configuration: .patient)
        do {
            try await body(redis, "cache-tests-\(UInt64.random(in: .min ... .max))")
        } catch {
            await redis.shutdown()
            throw error
        }
        await redis.shutdown()
    }

    private func name(_ key: String, _ namespace: String) -> RedisArgument {
        RedisArgument(StorageName.of(CacheKey(namespace: namespace, name: key), maximumLength: 1024))
    }

    @Test func `a cached nil, false, zero or empty list is a hit on another node`() async throws {
        try await self.withRedis { redis, namespace in
            let one = Cache(store: RedisCacheStore(redis), namespace: namespace)
            let other = Cache(store: RedisCacheStore(redis), namespace: namespace)
            _ = try await one.value(for: "nil") { String?.none }
            _ = try await one.value(for: "false") { false }
            _ = try await one.value(for: "zero") { 0 }
            _ = try await one.value(for: "list") { [Int]() }
            _ = try await one.value(for: "text") { "" }
            #expect(try await other.lookup(for: "nil") { "x" as String? } == CacheResult(value: nil, outcome: .hit))
            #expect(try await other.lookup(for: "false") { true } == CacheResult(value: false, outcome: .hit))
            #expect(try await other.lookup(for: "zero") { 1 } == CacheResult(value: 0, outcome: .hit))
            #expect(try await other.lookup(for: "list") { [1] } == CacheResult(value: [], outcome: .hit))
            #expect(try await other.lookup(for: "text") { "x" } == CacheResult(value: "", outcome: .hit))
        }
    }

    @Test func `many keys of every kind are written, read, touched and deleted`() async throws {
        try await self.withRedis { redis, namespace in
            let cache = Cache(store: RedisCacheStore(redis), namespace: namespace)
            let long = String(repeating: "k", count: 5_000)
            let keys = ["", " ", "a b", "a\nb", "\r\nDEL x", "a\0", "%", ":", "\u{E9}", "e\u{301}", "K", "k", long, long + "k", "🇯🇵"]
            let values = Dictionary(uniqueKeysWithValues: keys.enumerated().map { (BinaryKey($1), $0) })
            for (key, value) in values { try await cache.set(value, for: key.text) }
            for (key, value) in values {
                #expect(try await cache.get(key.text, as: Int.self) == value)
                #expect(try await cache.add(-1, for: key.text) == false)
                #expect(try await cache.touch(key.text))
                #expect(try await cache.delete(key.text))
                #expect(try await cache.contains(key.text) == false)
            }
            #expect(try await cache.setMany([String: Int]()).isEmpty)
            #expect(try await cache.getMany([], as: Int.self).isEmpty)
            let many = Dictionary(uniqueKeysWithValues: (0..<300).map { ("k\($0)", $0) })
            #expect(try await cache.setMany(many).isEmpty)
            #expect(try await cache.getMany(many.keys.sorted() + ["none"], as: Int.self) == many)
        }
    }

    @Test func `increments of many clients lose none, and stop at the end of the range`() async throws {
        try await self.withRedis { redis, namespace in
            let cache = Cache(store: RedisCacheStore(redis), namespace: namespace)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { for _ in 0..<10 { _ = try await cache.increment("n", initial: 0) } } }
                try await group.waitForAll()
            }
            #expect(try await cache.counter("n") == 200)
            // Another program counts on.
            #expect(try await redis.send(RedisCommand("INCRBY", [self.name("n", namespace), "5"])).integer == 205)
            #expect(try await cache.increment("n") == 206)
            try await cache.setCounter("n", to: .max)
            let error = await #expect(throws: CacheError.self) { try await cache.increment("n") }
            #expect(error?.code == .counterOverflow)
            #expect(try await cache.counter("n") == .max)
        }
    }

    @Test(arguments: ["abc", "1.5", " 1", "9223372036854775808", ""]) func `what is no integer is not counted`(text: String) async throws {
        try await self.withRedis { redis, namespace in
            let cache = Cache(store: RedisCacheStore(redis), namespace: namespace)
            _ = try await redis.send(RedisCommand("SET", [self.name("n", namespace), RedisArgument(text)]))
            let error = await #expect(throws: CacheError.self) { try await cache.increment("n", by: 2) }
            #expect(error?.code == (text.isEmpty ? .missingCounter : .wrongKind))
            let reply = try await redis.send(RedisCommand("GET", [self.name("n", namespace)]))
            #expect(reply.string == text)
        }
    }

    @Test func `lives of a nanosecond and of centuries are taken`() async throws {
        try await self.withRedis { redis, namespace in
            let cache = Cache(store: RedisCacheStore(redis), namespace: namespace)
            try await cache.set(1, for: "short", expiresIn: .nanoseconds(1))
            try await cache.set(1, for: "long", expiresIn: .seconds(Int64.max))
            try await cache.set(1, for: "for ever", expiresIn: nil)
            #expect(try await cache.value(for: "loaded", expiresIn: .seconds(Int64.max)) { 1 } == 1)
            #expect(try await redis.send(RedisCommand("PTTL", [self.name("short", namespace)])).integer ?? 2 <= 1)
            #expect(try await redis.send(RedisCommand("PTTL", [self.name("long", namespace)])).integer ?? 0 > 9_000_000_000_000)
            #expect(try await redis.send(RedisCommand("PTTL", [self.name("for ever", namespace)])).integer == -1)
            #expect(try await cache.get("long", as: Int.self) == 1)
            #expect(try await cache.get("loaded", as: Int.self) == 1)
            try await cache.set(2, for: "long", expiresIn: .zero)
            #expect(try await cache.contains("long") == false)
        }
    }

    /// one:   loads (reads the old row) ──────────────────── returns old ─ must not store
    /// other:                              invalidates
    @Test(arguments: [true, false]) func `a load in flight cannot undo an invalidation`(byTag: Bool) async throws {
        try await self.withRedis { redis, namespace in
            let one = Cache(store: RedisCacheStore(redis), namespace: namespace)
            let other = Cache(store: RedisCacheStore(redis), namespace: namespace)
            let loading = Gate("the old load")
            let old = Task {
                try await one.value(for: "k", tags: ["t"]) {
                    try await loading.pass()
                    return "old"
                }
            }
            try await loading.waitForArrivals()
            if byTag { try await other.invalidate(tag: "t") } else { try await other.invalidate(key: "k") }
            #expect(try await one.value(for: "k", tags: ["t"]) { "new" } == "new")
            loading.open()
            #expect(try await old.value == "old")
            #expect(try await other.value(for: "k", tags: ["t"]) { "newer" } == "new")
        }
    }

    @Test func `100 callers on two nodes cause one load`() async throws {
        try await self.withRedis { redis, namespace in
            let caches = (0..<2).map { _ in Cache(store: RedisCacheStore(redis), namespace: namespace) }
            let outcomes = try await withThrowingTaskGroup(of: CacheResult<Int>.self) { group in
                for index in 0..<100 { group.addTask { try await caches[index % 2].lookup(for: "k") { 7 } } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0.outcome == .loaded } == 1)
            #expect(outcomes.allSatisfy { $0.value == 7 })
        }
    }
}

/// A key whose equality is that of its bytes.
private struct BinaryKey: Hashable {
    let text: String
    init(_ text: String) { self.text = text }
    static func == (left: Self, right: Self) -> Bool { Array(left.text.utf8) == Array(right.text.utf8) }
}
