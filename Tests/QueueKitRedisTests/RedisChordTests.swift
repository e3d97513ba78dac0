import QueueKit
import QueueKitRedis
import ScaleCore
import ScaleRedis
import TestServers
import Testing

/// Chords in Celery's keys.
@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisChordTests {
    let redis: RedisClient
    let store: RedisResultStore
    let group = JobID().rawValue

    init() throws {
        self.redis = try RedisClient(TestServers.redis ?? "", configuration: .patient)
        self.store = RedisResultStore(self.redis)
    }

    private func key(_ suffix: String) -> String { "celery-taskset-meta-\(self.group)\(suffix)" }

    private func send(_ name: String, _ arguments: RedisArgument...) async throws -> RedisValue {
        try await self.redis.send(RedisCommand(name, arguments))
    }

    private func part(_ index: Int?, _ result: JSONValue = nil, id: String? = nil) -> ChordPart {
        let id = JobID(rawValue: id ?? "part\(index ?? -1)") ?? JobID()
        return ChordPart(ChordMember(job: id, group: self.group, index: index, body: [:]), returned: result)
    }

    @Test func `sizes and parts are at Celery's keys for a day`() async throws {
        try await self.store.prepare(ChordPlan(group: self.group, size: 3, shape: [["g", nil], []]))
        #expect(try await self.store.report(self.part(1, "é"), claim: "a") == .counted(ended: 1, size: 3))
        let failed = ChordPart(
            ChordMember(job: JobID(rawValue: "bad") ?? JobID(), group: self.group, index: 0, body: [:]),
            failed: JobFailure("ValueError", "no"))
        #expect(try await self.store.report(failed, claim: "a") == .counted(ended: 2, size: 3))
        #expect(try await self.redis.get(self.key(".s")).map { String(decoding: $0, as: UTF8.self) } == "3")
        #expect(try await self.redis.get(self.key("")).map { String(decoding: $0, as: UTF8.self) } == #"{"result":[["g",null],[]]}"#)
        guard case .array(let parts) = try await self.send("ZRANGE", .init(self.key(".j")), 0, -1) else { throw TestServersMissing() }
        #expect(
            parts.map(\.string) == [
                #"[1,"bad","FAILURE",{"exc_type":"ValueError","exc_message":["no"],"exc_module":"builtins"}]"#,
                #"[1,"part1","SUCCESS","é"]"#,
            ])
        for suffix in [".j", ".s", ".d", ""] {
            #expect((86_300...86_400).contains(try await self.send("TTL", .init(self.key(suffix))).integer ?? 0), "\(suffix)")
        }
    }

    private struct TestServersMissing: Error {}

    @Test func `of all that report at once, some twice, one may send the body, and late ones are told that it is over`() async throws {
        let count = 40
        try await self.store.prepare(ChordPlan(group: self.group, size: count))
        let reports = try await withThrowingTaskGroup(of: (String, ChordReport).self) { tasks in
            for run in 0..<(count * 2) {
                tasks.addTask {
                    ("claim\(run)", try await self.store.report(self.part(run % count, .integer(Int64(run % count))), claim: "claim\(run)"))
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        let complete = reports.filter { if case .complete = $0.1 { true } else { false } }
        #expect(complete.count == 1)
        guard case .complete(let parts, let shape)? = complete.first?.1, let claim = complete.first?.0 else { return }
        #expect(shape == nil)
        #expect(parts.compactMap { $0.arrayValue?.last?.integerValue } == (0..<Int64(count)).map { $0 })
        #expect(try await self.store.report(self.part(0), claim: "late") == .counted(ended: count, size: count))
        #expect(try await !self.store.renew("late", of: self.group))
        #expect(try await self.store.renew(claim, of: self.group))
        // Nobody else can end it.
        try await self.store.finish(self.group, claim: "late")
        #expect(try await self.store.report(self.part(0), claim: "late") == .counted(ended: count, size: count))
        try await self.store.finish(self.group, claim: claim)
        #expect(try await self.store.report(self.part(0), claim: "late") == .over)
        try await self.store.prepare(ChordPlan(group: self.group, size: 1))
        for suffix in [".j", ".s", ".d", ".t"] { #expect(try await self.send("EXISTS", .init(self.key(suffix))).integer == 0, "\(suffix)") }
    }

    @Test(arguments: [true, false]) func `a part that was run again counts once, by what it said first`(_ isOrdered: Bool) async throws {
        var configuration = RedisResultStore.Configuration()
        configuration.ordersChordParts = isOrdered
        let store = RedisResultStore(self.redis, configuration: configuration)
        try await store.prepare(ChordPlan(group: self.group, size: 2))
        #expect(try await store.report(self.part(0, "first"), claim: "a") == .counted(ended: 1, size: 2))
        #expect(try await store.report(self.part(0, "second"), claim: "b") == .counted(ended: 1, size: 2))
        guard case .complete(let parts, _) = try await store.report(self.part(1, "other"), claim: "c") else { throw TestServersMissing() }
        #expect(parts.compactMap { $0.arrayValue?.last } == ["first", "other"])
    }

    @Test func `a claim that was given up, or whose time is over, is another one's`() async throws {
        try await self.store.prepare(ChordPlan(group: self.group, size: 1))
        guard case .complete = try await self.store.report(self.part(0), claim: "a") else { throw TestServersMissing() }
        #expect((1...60_000).contains(try await self.send("PTTL", .init(self.key(".c"))).integer ?? 0))
        try await self.store.giveUp("b", of: self.group)
        #expect(try await self.store.report(self.part(0), claim: "b") == .counted(ended: 1, size: 1))
        try await self.store.giveUp("a", of: self.group)
        guard case .complete = try await self.store.report(self.part(0), claim: "b") else { throw TestServersMissing() }
        _ = try await self.send("DEL", .init(self.key(".c")))
        #expect(try await self.store.renew("b", of: self.group), "nobody has taken it since")
    }

    @Test func `a claim that is renewed has its whole time again, and one of a chord that is over is none`() async throws {
        try await self.store.prepare(ChordPlan(group: self.group, size: 1))
        guard case .complete = try await self.store.report(self.part(0), claim: "a") else { throw TestServersMissing() }
        _ = try await self.send("PEXPIRE", .init(self.key(".c")), 30_000)
        #expect(try await self.store.renew("a", of: self.group))
        #expect((30_001...60_000).contains(try await self.send("PTTL", .init(self.key(".c"))).integer ?? 0))
        try await self.store.finish(self.group, claim: "a")
        #expect((1...3600).contains(try await self.send("TTL", .init(self.key(".c"))).integer ?? 0), "nothing stays for ever")
        #expect(try await !self.store.renew("a", of: self.group))
        // Who comes when even that it is over is not known any more sends no second body.
        _ = try await self.send("DEL", .init(self.key(".c")))
        #expect(try await !self.store.renew("a", of: self.group))
    }

    @Test func `more parts than a chord has are nobody's to send, as with Celery`() async throws {
        try await self.store.prepare(ChordPlan(group: self.group, size: 1))
        guard case .complete = try await self.store.report(self.part(0), claim: "a") else { throw TestServersMissing() }
        try await self.store.giveUp("a", of: self.group)
        #expect(try await self.store.report(self.part(1), claim: "b") == .counted(ended: 2, size: 1))
    }

    @Test func `what Celery adds to a size, and its parts in a list, are counted with the others`() async throws {
        try await self.store.prepare(ChordPlan(group: self.group, size: 1))
        _ = try await self.send("SET", .init(self.key(".t")), 1, "EX", 3600)
        _ = try await self.send("RPUSH", .init(self.key(".j")), #"[1, "python", "SUCCESS", 5]"#)
        guard case .complete(let parts, nil) = try await self.store.report(self.part(nil, 6), claim: "a") else {
            throw TestServersMissing()
        }
        #expect(parts.compactMap { $0.arrayValue?.last } == [5, 6])
        var configuration = RedisResultStore.Configuration()
        configuration.ordersChordParts = false
        configuration.globalKeyPrefix = "app"
        configuration.retention = nil
        let other = RedisResultStore(self.redis, configuration: configuration)
        #expect(try await other.report(self.part(0), claim: "a") == .counted(ended: 1, size: nil))
        #expect(try await self.send("LLEN", .init("app_\(self.key(".j"))")).integer == 1)
        #expect(try await self.send("TTL", .init("app_\(self.key(".j"))")).integer == -1)
        _ = try await self.send("DEL", .init("app_\(self.key(".j"))"), .init("app_\(self.key(".d"))"))
    }

    @Test(arguments: [".j", ".t", ".s", ".d", ".c", ""])
    func `keys that hold something else make a chord that cannot be read, and no error for ever`(_ suffix: String) async throws {
        _ = try await self.send("HSET", .init(self.key(suffix)), "a", "b")
        _ = try await self.send("EXPIRE", .init(self.key(suffix)), 3600)
        #expect(try await self.store.report(self.part(0), claim: "a") == .unreadable(reason: "the chord's keys hold something else"))
    }

    @Test func `sizes that are no numbers are none, and parts that are too long together are not read`() async throws {
        _ = try await self.send("SET", .init(self.key(".s")), "many", "EX", 3600)
        #expect(try await self.store.report(self.part(0), claim: "a") == .counted(ended: 1, size: nil))
        var configuration = RedisResultStore.Configuration()
        configuration.limits.maximumBytes = 100
        let narrow = RedisResultStore(self.redis, configuration: configuration)
        let text = JSONValue.string(String(repeating: "x", count: 60))
        try await narrow.prepare(ChordPlan(group: self.group, size: 3))
        #expect(try await narrow.report(self.part(1, text), claim: "a") == .counted(ended: 2, size: 3))
        guard case .unreadable = try await narrow.report(self.part(2, text), claim: "a") else { throw TestServersMissing() }
        let error = await #expect(throws: QueueError.self) { try await narrow.report(self.part(3, .array([text, text])), claim: "a") }
        #expect(error?.code == .messageTooLarge)
    }
}
