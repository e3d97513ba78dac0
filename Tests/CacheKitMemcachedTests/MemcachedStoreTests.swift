import CacheKit
import CacheKitMemcached
import Foundation
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// What is particular to Memcached, at real servers.
@Suite(.enabled(if: PrivateMemcached.isInstalled, "needs memcached"), .timeLimit(.minutes(10)))
struct MemcachedStoreTests {
    private func record(_ size: Int) -> CacheRecord {
        CacheRecord(
            nonce: RecordNonce(high: .random(in: 0...UInt64.max), low: 1), schema: 1, tags: [],
            body: .bytes(Array(repeating: 1, count: size)))
    }

    private func key(_ name: String) -> CacheKey { CacheKey(namespace: "n", name: name) }

    @Test func `a record of the largest size is stored, one byte more is an error that names limit and size`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        let limit = store.capabilities.maximumValueSize
        let longName = String(repeating: "k", count: 240)
        let largest = self.record(limit - RecordBytes.headLength)
        for result in try await store.write([StoreWrite(key: self.key(longName), record: largest, life: CacheLife(nil))]) {
            try result.get()
        }
        guard case .record(let read)? = try await store.read([self.key(longName)], epochs: []).entries.first else {
            throw TestFailure("the largest record was not stored")
        }
        #expect(read.body.size == limit - RecordBytes.headLength)
        let larger = StoreWrite(key: self.key("k"), record: self.record(limit - RecordBytes.headLength + 1), life: CacheLife(nil))
        let result = try #require(try await store.write([larger]).first)
        let error = #expect(throws: CacheError.self) { try result.get() }
        #expect(error?.code == .valueTooLarge && error?.limit == limit && error?.size == limit + 1 && error?.key == "k")
        await store.shutdown()
    }

    @Test func `the server is told lives of more than 30 days as a time`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        for (name, life) in [("day", Duration.seconds(86_400)), ("days", .seconds(86_400 * 40)), ("none", .zero), ("past", .seconds(-5))] {
            for result in try await store.write([StoreWrite(key: self.key(name), record: self.record(1), life: CacheLife(life))]) {
                try result.get()
            }
        }
        try await store.setCounter(self.key("counter"), to: 1, life: CacheLife(.seconds(86_400 * 40)))
        try await store.setCounter(self.key("gone"), to: 1, life: CacheLife(.zero))
        // `mg` with `t` tells the seconds that are left.
        func left(_ name: String) throws -> Int? {
            let answer = try server.ask("mg n:v:\(name) t\r\n")
            return answer.hasPrefix("HD t") ? Int(answer.dropFirst(4).prefix { $0.isNumber || $0 == "-" }) : nil
        }
        #expect((86_000...86_402).contains(try left("day") ?? 0))
        #expect((3_455_000...3_456_003).contains(try left("days") ?? 0))
        #expect((3_455_000...3_456_003).contains(try left("counter") ?? 0))
        #expect(try left("none") == nil)
        #expect(try left("past") == nil)
        #expect(try left("gone") == nil)
        await store.shutdown()
    }

    @Test func `what other programs left is met without harm`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        let foreign = [
            "", " ", "x", "SK", "SK\u{1}", "18446744073709551615", "9223372036854775808", "-", "1 2", "5     ", "12345678901234567890123",
        ]
        for (index, value) in foreign.enumerated() {
            #expect(try server.ask("set n:v:k\(index) 16 0 \(value.utf8.count)\r\n\(value)\r\n").hasPrefix("STORED"))
            let key = self.key("k\(index)")
            let entry = try #require(try await store.read([key], epochs: []).entries.first)
            if value == "5     " {
                guard case .counter(5) = entry else { throw TestFailure("a counter with trailing spaces is \(entry)") }
                #expect(try await store.increment(key, by: 1, initial: nil, life: CacheLife(nil)) == 6)
                continue
            }
            guard case .unreadable = entry else { throw TestFailure("'\(value)' is \(entry)") }
            let error = await #expect(throws: CacheError.self) {
                try await store.increment(key, by: 1, initial: 0, life: CacheLife(nil))
            }
            #expect(error?.code == .wrongKind)
            let token = try #require(LeaseToken(high: 1, low: 1))
            #expect(try await store.begin(key, seen: entry.sighting, token: token, lease: .seconds(600)) == .granted)
            #expect(try await store.commit(key, token: token, record: self.record(1), life: CacheLife(nil)) == .stored)
        }
        // A tag's epoch that is none gives way to one.
        let tag = CacheTag(namespace: "n", name: "t")
        #expect(try server.ask("set n:t:t 0 0 3\r\nabc\r\n").hasPrefix("STORED"))
        #expect(try await store.read([], epochs: [tag]).epochs == [nil])
        let epoch = try await store.epochs(of: [tag])
        #expect(try await store.read([], epochs: [tag]).epochs == epoch.map { $0 })
        await store.shutdown()
    }

    @Test func `incr and decr of other programs work on a counter, and its life stays`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        #expect(try await store.increment(self.key("c"), by: 0, initial: 10, life: CacheLife(.seconds(1000))) == 10)
        #expect(try server.ask("decr n:v:c 1\r\n").hasPrefix("9"))
        guard case .counter(9)? = try await store.read([self.key("c")], epochs: []).entries.first else {
            throw TestFailure("decr has made the counter unreadable")
        }
        #expect(try await store.increment(self.key("c"), by: -20, initial: nil, life: CacheLife(nil)) == -11)
        let left = try server.ask("mg n:v:c t\r\n")
        #expect((500...1002).contains(Int(left.dropFirst(4).prefix { $0.isNumber }) ?? 0), "the counter's life: \(left)")
        await store.shutdown()
    }

    @Test func `a server that is killed is an error for its keys, and serves again when it is back`() async throws {
        let servers = [try await PrivateMemcached.running(), try await PrivateMemcached.running(), try await PrivateMemcached.running()]
        var configuration = MemcachedConfiguration.patient
        configuration.restAfterFailure = .milliseconds(20)
        let url = "memcached://" + servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        let store = try MemcachedCacheStore(url, configuration: configuration)
        let keys = (0..<60).map { self.key("k\($0)") }
        let writes = keys.map { StoreWrite(key: $0, record: self.record(10), life: CacheLife(nil)) }
        for result in try await store.write(writes) { try result.get() }

        try await servers[0].kill()
        var dead: Set<Int> = []
        for (index, key) in keys.enumerated() {
            do {
                guard case .record? = try await store.read([key], epochs: []).entries.first else {
                    throw TestFailure("a key of a dead server, or of a living one, is a miss")
                }
            } catch let error as CacheError {
                #expect(error.code == .storeUnavailable)
                #expect(error.message.contains("127.0.0.1:\(servers[0].port)"))
                dead.insert(index)
            }
        }
        #expect((1..<60).contains(dead.count))
        let results = try await store.write(writes)
        let refused = results.indices.filter { (try? results[$0].get()) == nil }
        #expect(Set(refused) == dead, "a write failed that is none of the dead server's, or the other way round")
        await #expect(throws: CacheError.self) { _ = try await store.remove(keys.indices.filter { dead.contains($0) }.map { keys[$0] }) }

        try await servers[0].start()
        try await eventually("all keys are served") { (try? await store.read(keys, epochs: [])) != nil }
        let entries = try await store.read(keys, epochs: []).entries
        let absent = entries.indices.filter { if case .absent = entries[$0] { true } else { false } }
        #expect(Set(absent) == dead, "what the new server does not have, and nothing else, is a miss")
        await store.shutdown()
    }

    @Test func `an entry that the server finds too large is an error with its size, the old one is gone, and the next is served`()
        async throws
    {
        // The configuration says 1 MiB, the server takes 512 KiB.
        let server = try await PrivateMemcached.running("-I", "512k")
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        let key = self.key("k")
        func write(_ size: Int) async throws {
            for result in try await store.write([StoreWrite(key: key, record: self.record(size), life: CacheLife(nil))]) {
                try result.get()
            }
        }
        for size in [600_000, 1_000_000] {
            try await write(10)
            let error = await #expect(throws: CacheError.self) { try await write(size) }
            #expect(error?.code == .valueTooLarge && error?.key == "k")
            #expect(error?.size == size + RecordBytes.headLength)
            guard case .absent? = try await store.read([key], epochs: []).entries.first else { throw TestFailure("the old entry is there") }
        }
        // A conditional write is refused as well, and leaves what is there.
        try await write(10)
        let seen = try #require(try await store.read([key], epochs: []).entries.first).sighting
        let large = StoreWrite(key: key, record: self.record(600_000), life: CacheLife(nil))
        let error = await #expect(throws: CacheError.self) { try await store.write(large, seen: seen) }
        #expect(error?.code == .valueTooLarge)
        try await write(20)
        guard case .record(let read)? = try await store.read([key], epochs: []).entries.first else { throw TestFailure("not stored") }
        #expect(read.body.size == 20)
        await store.shutdown()
    }

    @Test func `a restart between two calls is not noticed by readers`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        #expect(try await store.increment(self.key("c"), by: 1, initial: 0, life: CacheLife(nil)) == 1)
        _ = try await store.read([self.key("c")], epochs: [])
        try await server.kill()
        try await server.start()
        guard case .absent? = try await store.read([self.key("c")], epochs: []).entries.first else { throw TestFailure("not a miss") }
        // Reading comes first here too, so nothing has been written when the old connection proves dead.
        #expect(try await store.increment(self.key("c"), by: 1, initial: 0, life: CacheLife(nil)) == 1)
        await store.shutdown()
    }

    @Test func `a server that is silent costs one time-out, not one for everybody`() async throws {
        let server = try await PrivateMemcached.running()
        // How long it is left alone is told by a time that stands still; how long it may be silent, by the machine's.
        let time = ManualTime()
        let rest = MemcachedConfiguration().restAfterFailure
        let store = try MemcachedCacheStore(server.url, time: time.source)
        func isServed() async throws -> Bool {
            await time.advance(by: rest)
            do {
                _ = try await store.read([self.key("k")], epochs: [])
                return true
            } catch let error as CacheError {
                #expect(error.code == .storeUnavailable)
                return false
            }
        }
        try await eventually("the server is asked") { try await isServed() }
        server.freeze()
        // Its threads may answer for a moment yet.
        try await eventually("the frozen server is an error") { try await !isServed() }
        let second = await #expect(throws: CacheError.self) { try await store.setCounter(self.key("k"), to: 1, life: CacheLife(nil)) }
        #expect(second?.message.contains("left alone") == true)
        server.thaw()
        try await eventually("the server is asked again") { try await isServed() }
        await store.shutdown()
    }

    @Test func `nothing is lost and nothing mixed up when many work at once`() async throws {
        let server = try await PrivateMemcached.running()
        let other = try await PrivateMemcached.running()
        let url = "memcached://127.0.0.1:\(server.port),127.0.0.1:\(other.port)"
        let nodes = try (0..<2).map { _ in try MemcachedCacheStore(url, configuration: .patient) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<16 {
                group.addTask {
                    let store = nodes[caller % 2]
                    for turn in 0..<20 {
                        _ = try await store.increment(self.key("sum"), by: 1, initial: 0, life: CacheLife(nil))
                        try await store.setCounter(self.key("c\(caller)"), to: Int64(caller * 1000 + turn), life: CacheLife(nil))
                        guard
                            case .counter(Int64(caller * 1000 + turn))? =
                                try await store.read([self.key("c\(caller)")], epochs: []).entries.first
                        else { throw TestFailure("another's value") }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await nodes[0].increment(self.key("sum"), by: 0, initial: nil, life: CacheLife(nil)) == 320)
        for node in nodes { await node.shutdown() }
    }

    @Test func `one load runs for all nodes, and an invalidation is seen by all`() async throws {
        let server = try await PrivateMemcached.running()
        let nodes = try (0..<2).map { _ in Cache(store: try MemcachedCacheStore(server.url, configuration: .patient), namespace: "n") }
        let loads = LoadCount()
        let callers = (0..<32).map { caller in
            let cache = nodes[caller % 2]
            return Task {
                try await cache.value(for: "k", tags: ["t"]) {
                    loads.count.withLock { $0 += 1 }
                    return "v"
                }
            }
        }
        for caller in callers { #expect(try await caller.value == "v") }
        #expect(loads.count.withLock { $0 } == 1)
        try await nodes[0].invalidate(tag: "t")
        #expect(try await nodes[1].get("k", as: String.self) == nil)
    }

    @Test func `after shutdown every verb is an error`() async throws {
        let server = try await PrivateMemcached.running()
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        await store.shutdown()
        let error = await #expect(throws: CacheError.self) { try await store.read([self.key("k")], epochs: []) }
        #expect(error?.code == .storeUnavailable)
        await #expect(throws: CacheError.self) { try await store.setCounter(self.key("k"), to: 1, life: CacheLife(nil)) }
    }

    @Test func `a URL with a password is refused, and shows nothing of it`() {
        let error = #expect(throws: CacheError.self) { _ = try MemcachedCacheStore("memcached://user:secret@127.0.0.1") }
        #expect(error?.code == .unsupported)
        #expect(!"\(String(describing: error))".contains("secret"))
    }
}

private final class LoadCount: Sendable {
    let count = Locked(0)
}
