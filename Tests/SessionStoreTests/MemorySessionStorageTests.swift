import ScaleCore
import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

@Suite struct MemorySessionStorageTests {
    let time = ManualTime()
    let policy = SessionPolicy(idle: .seconds(10), absolute: .seconds(100))

    @Test(arguments: SessionStorageConformance.cases)
    func `memory keeps the promises of a session storage`(rule: SessionStorageConformance.Case) async throws {
        let time = self.time
        try await rule.run(on: .init(MemorySessionStorage(time: time.source)) { await time.advance(by: $0) })
    }

    @Test(arguments: SessionStorageConformance.cases)
    func `the fake keeps the promises of a session storage`(rule: SessionStorageConformance.Case) async throws {
        let storage = FakeSessionStorage()
        try await rule.run(on: .init(storage) { await storage.time.advance(by: $0) })
    }

    @Test func `sessions that are over are removed by the verbs that follow`() async throws {
        let storage = MemorySessionStorage(time: self.time.source)
        for _ in 0..<100 { _ = try await storage.create(SessionKey(SessionID()), payload: [1], policy: self.policy) }
        let used = SessionKey(SessionID())
        _ = try await storage.create(used, payload: [1], policy: self.policy)
        await self.time.advance(by: .seconds(9))
        try await storage.touch(used, policy: self.policy)
        await self.time.advance(by: .seconds(2))
        for _ in 0..<8 { _ = try await storage.load(SessionKey(SessionID())) }
        #expect(storage.count == 1)
        #expect(try await storage.load(used) != nil)
    }

    @Test func `logins and logouts leave nothing behind, and sessions that stay still end in time`() {
        var table = SessionTable()
        var now = Instant(nanoseconds: 0)
        let kept = (0..<100).map { _ in SessionKey(SessionID()) }
        for key in kept { _ = table.create(key, payload: [1], policy: self.policy, at: now) }
        for _ in 0..<10_000 {
            let (key, next) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let creation = table.create(key, payload: [1], policy: self.policy, at: now)
            #expect(creation == .created(SessionVersion(rawValue: 1)))
            let rotation = table.rotate(
                key, to: next, payload: [1], ifVersion: SessionVersion(rawValue: 1), lifetime: .kept, policy: self.policy, at: now)
            #expect(rotation == .written(SessionVersion(rawValue: 2)))
            #expect(table.nodeCount <= 2 * table.count + 64)
            let isDeleted = table.delete(next, at: now)
            #expect(isDeleted)
            #expect(table.nodeCount <= 2 * table.count + 64)
        }
        #expect(table.count == kept.count)
        now = now.advanced(by: .seconds(11))
        for _ in 0..<100 { _ = table.load(SessionKey(SessionID()), at: now) }
        #expect(table.count == 0)
        #expect(table.nodeCount <= 64)
    }

    @Test func `a full storage refuses a new session, and no living one makes room`() async throws {
        let storage = MemorySessionStorage(maximumCount: 2, time: self.time.source)
        let keys = (0..<3).map { _ in SessionKey(SessionID()) }
        let version = try await storage.create(keys[0], payload: [0], policy: self.policy)
        _ = try await storage.create(keys[1], payload: [1], policy: self.policy)
        let error = await #expect(throws: SessionError.self) { try await storage.create(keys[2], payload: [2], policy: self.policy) }
        #expect(error?.code == .storageFull)
        #expect(try await storage.load(keys[0]) != nil)
        #expect(try await storage.load(keys[1]) != nil)
        let rotation = try await storage.rotate(
            keys[0], to: keys[2], payload: [0], ifVersion: version, lifetime: .kept, policy: self.policy)
        #expect(rotation == .written(SessionVersion(rawValue: 2)), "a rotation needs no room of its own")
        await self.time.advance(by: .seconds(10))
        _ = try await storage.create(keys[0], payload: [2], policy: self.policy)
    }

    @Test func `setting the machine's clock neither ends a session nor prolongs it`() async throws {
        let storage = MemorySessionStorage(time: self.time.source)
        let key = SessionKey(SessionID())
        _ = try await storage.create(key, payload: [1], policy: self.policy)
        self.time.shiftUTC(by: .seconds(86_400))
        #expect(try await storage.load(key)?.age == .zero)
        self.time.shiftUTC(by: .seconds(-2 * 86_400))
        await self.time.advance(by: .seconds(10))
        #expect(try await storage.load(key) == nil)
    }

    @Test func `limits beyond the end of time hold a session for ever and do not trap`() async throws {
        let storage = MemorySessionStorage(time: self.time.source)
        let key = SessionKey(SessionID())
        let forever = SessionPolicy(idle: .seconds(Int64.max), absolute: .seconds(Int64.max))
        _ = try await storage.create(key, payload: [1], policy: forever)
        await self.time.advance(by: .seconds(1_000_000_000))
        #expect(try await storage.load(key)?.age == .seconds(1_000_000_000))
        #expect(try await storage.touch(key, policy: forever))
    }
}
