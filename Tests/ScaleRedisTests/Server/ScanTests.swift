import ScaleRedis
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct ScanTests {
    let redis: RedisClient
    let key = TestKeys()

    init() throws {
        self.redis = try RedisClient(sharedURL, configuration: .test())
    }

    @Test func `every key comes, over many pages`() async throws {
        let names = (0..<250).map { self.key("\($0)") }
        _ = try await self.redis.pipeline(names.map { RedisCommand("SET", [.init($0), "x", "EX", 600]) })
        try await self.redis.sadd(self.key("a set"), ["x"])
        var found: Set<String> = []
        for try await name in self.redis.scan(match: self.key("*"), type: "string", pageSize: 10) {
            found.insert(String(decoding: name, as: UTF8.self))
        }
        #expect(found == Set(names))
        try await self.redis.unlink(names + [self.key("a set")])
    }

    @Test func `what stays comes, while other keys come and go`() async throws {
        let staying = Set((0..<300).map { self.key("stays:\($0)") })
        _ = try await self.redis.pipeline(staying.map { RedisCommand("SET", [.init($0), "x", "EX", 600]) })
        var found: Set<String> = []
        var pages = 0
        for try await name in self.redis.scan(match: self.key("*"), pageSize: 10) {
            found.insert(String(decoding: name, as: UTF8.self))
            pages += 1
            guard pages.isMultiple(of: 10) else { continue }
            // The keyspace grows by more than half and shrinks again, so that the server's table is resized under the cursor.
            let passing = (0..<50).map { self.key("passes:\(pages):\($0)") }
            _ = try await self.redis.pipeline(passing.map { RedisCommand("SET", [.init($0), "x", "EX", 600]) })
            if pages.isMultiple(of: 20) { try await self.redis.unlink(passing) }
            guard pages < 2000 else { break }
        }
        #expect(found.isSuperset(of: staying))
        try await self.redis.unlink(Array(staying.union(found)))
    }

    @Test func `nothing comes of nothing, and a negative page size is harmless`() async throws {
        for try await _ in self.redis.scan(match: self.key("*"), pageSize: -5) { Issue.record("a key came") }
        for try await _ in self.redis.sscan(self.key("none")) { Issue.record("a member came") }
    }

    @Test func `members, fields and scores`() async throws {
        let (set, hash, sorted) = (self.key("set"), self.key("hash"), self.key("sorted"))
        let numbers = 0..<300
        try await self.redis.sadd(set, numbers.map { RedisArgument("m\($0)") })
        try await self.redis.hset(hash, numbers.map { (field: RedisArgument("f\($0)"), value: RedisArgument($0)) })
        try await self.redis.zadd(sorted, numbers.map { (member: RedisArgument("z\($0)"), score: Double($0) / 4) })
        var members: Set<[UInt8]> = []
        for try await member in self.redis.sscan(set, pageSize: 20) { members.insert(member) }
        #expect(members == Set(numbers.map { bytes("m\($0)") }))
        var fields: [[UInt8]: [UInt8]] = [:]
        for try await (field, value) in self.redis.hscan(hash, pageSize: 20) { fields[field] = value }
        #expect(fields == Dictionary(uniqueKeysWithValues: numbers.map { (bytes("f\($0)"), bytes("\($0)")) }))
        var scores: [[UInt8]: Double] = [:]
        for try await element in self.redis.zscan(sorted, match: "z*", pageSize: 20) { scores[element.member] = element.score }
        #expect(scores == Dictionary(uniqueKeysWithValues: numbers.map { (bytes("z\($0)"), Double($0) / 4) }))
        try await self.redis.unlink([set, hash, sorted])
    }

    @Test func `an error ends the iteration`() async throws {
        let name = self.key("text")
        try await self.redis.set(name, "x", expiresIn: .seconds(600))
        var iterator = self.redis.sscan(name).makeAsyncIterator()
        #expect(await redisError { _ = try await iterator.next() }?.serverError?.kind == "WRONGTYPE")
        #expect(try await iterator.next() == nil)
    }
}
