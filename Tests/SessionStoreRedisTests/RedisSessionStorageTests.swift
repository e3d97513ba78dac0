import ScaleRedis
import ScaleTesting
import SessionStore
import SessionStoreRedis
import SessionStoreTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisSessionStorageTests {
    struct Profile: Codable, Hashable, Sendable {
        var user: String
        var visits = 0
    }

    let server: AgingRedis
    let policy = SessionPolicy(idle: .seconds(1000), absolute: .seconds(3000))

    init() throws {
        self.server = try AgingRedis(TestServers.redis ?? "")
    }

    @Test(arguments: SessionStorageConformance.cases)
    func `Redis keeps the promises of a session storage`(rule: SessionStorageConformance.Case) async throws {
        let server = self.server
        let second = RedisSessionStorage(try RedisClient(TestServers.redis ?? "", configuration: .patient), prefix: server.prefix)
        try await rule.run(
            on: .init(server.storage, secondNode: second, unit: .seconds(1000)) { try await server.age(by: $0) })
    }

    // MARK: Form

    @Test func `the database holds the hash of the id and never the id`() async throws {
        let sessions = Sessions<Profile>(storage: self.server.storage, policy: self.policy)
        let session = try await sessions.create(Profile(user: "ada"))
        let names = try await self.server.names()
        #expect(names == [self.server.name(SessionKey(session.id))])
        let fields = try await self.server.send("HGETALL", RedisArgument(names[0])).array ?? []
        #expect(fields.count == 8)
        for field in fields { #expect(field.string?.contains(session.id.cookieValue) == false) }
    }

    @Test func `a key lives for the shorter of idle and remaining absolute time`() async throws {
        let (storage, key) = (self.server.storage, SessionKey(SessionID()))
        let name = RedisArgument(self.server.name(key))
        func timeToLive() async throws -> Duration { .milliseconds(try await self.server.send("PTTL", name).integer ?? -9) }

        let version = try await storage.create(key, payload: [1], policy: self.policy)
        #expect(try await (.seconds(900)...(.seconds(1000))).contains(timeToLive()))
        try await self.server.age(by: .seconds(500))
        #expect(try await (.seconds(400)...(.seconds(500))).contains(timeToLive()))
        try await storage.touch(key, policy: self.policy)
        #expect(try await (.seconds(900)...(.seconds(1000))).contains(timeToLive()))
        for _ in 0..<2 {
            try await self.server.age(by: .seconds(950))
            try await storage.touch(key, policy: self.policy)
        }
        #expect(try await (.seconds(500)...(.seconds(600))).contains(timeToLive()), "3000 - 500 - 2 × 950")
        _ = try await storage.save(key, payload: [2], ifVersion: version, policy: self.policy)
        #expect(try await (.seconds(500)...(.seconds(600))).contains(timeToLive()))
    }

    @Test func `the server removes a session by itself, without any call`() async throws {
        let key = SessionKey(SessionID())
        _ = try await self.server.storage.create(
            key, payload: [1], policy: SessionPolicy(idle: .seconds(100), absolute: .milliseconds(20)))
        try await eventually { try await self.server.send("EXISTS", RedisArgument(self.server.name(key))).integer == 0 }
    }

    @Test func `a rotation leaves one key`() async throws {
        let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
        let version = try await self.server.storage.create(old, payload: [1], policy: self.policy)
        _ = try await self.server.storage.rotate(
            old, to: new, payload: [2], ifVersion: version, lifetime: .kept, policy: self.policy)
        #expect(try await self.server.names() == [self.server.name(new)])
    }

    // MARK: Damage

    /// Fields of a session's hash, each set damaged in one way.
    static let damages: [[String: String]] = [
        [:], ["v": "1"], ["v": "1", "c": "1", "u": "1"], ["v": "x", "c": "1", "u": "1", "p": ""],
        ["v": "", "c": "1", "u": "1", "p": ""], ["v": "0", "c": "1", "u": "1", "p": ""], ["v": "-1", "c": "1", "u": "1", "p": ""],
        ["v": "1e3", "c": "1", "u": "1", "p": ""], ["v": "9999999999999999", "c": "1", "u": "1", "p": ""],
        ["v": "1", "c": "x", "u": "1", "p": ""], ["v": "1", "c": "nan", "u": "1", "p": ""], ["v": "1", "c": "1", "u": "inf", "p": ""],
        ["v": "1", "c": "-99999999999999999999", "u": "1", "p": ""], ["v": "1", "c": "1", "p": ""],
    ]

    @Test(arguments: damages.indices)
    func `an entry that is no session is none for any verb, and is removed`(index: Int) async throws {
        let storage = self.server.storage
        let seven = SessionVersion(rawValue: 7)
        let verbs: [@Sendable (SessionKey) async throws -> Bool] = [
            { key in try await storage.load(key) == nil },
            { key in
                let save = try await storage.save(key, payload: [], ifVersion: seven, policy: self.policy)
                return save == .ended || save == .conflict
            },
            { key in
                let rotation = try await storage.rotate(
                    key, to: SessionKey(SessionID()), payload: [], ifVersion: seven, lifetime: .kept, policy: self.policy)
                return rotation == .ended || rotation == .conflict
            },
        ]
        for verb in verbs {
            let key = SessionKey(SessionID())
            let name = RedisArgument(self.server.name(key))
            if Self.damages[index].isEmpty {
                _ = try await self.server.send("RPUSH", name, "not a hash")
            } else {
                for (field, value) in Self.damages[index] {
                    _ = try await self.server.send("HSET", name, RedisArgument(field), RedisArgument(value))
                }
            }
            #expect(try await verb(key))
            #expect(try await storage.load(key) == nil)
            #expect(try await self.server.send("EXISTS", name).integer == 0)
        }
    }

    @Test func `a payload of another program is no session, and is deleted`() async throws {
        let sessions = Sessions<Profile>(storage: self.server.storage, policy: self.policy)
        let session = try await sessions.create(Profile(user: "ada"))
        _ = try await self.server.send("HSET", RedisArgument(self.server.name(SessionKey(session.id))), "p", "{\"user\":7}")
        #expect(try await sessions.load(session.id) == nil)
        #expect(try await self.server.names() == [])
    }

    @Test func `a server's clock that was set back makes no negative age`() async throws {
        let key = SessionKey(SessionID())
        _ = try await self.server.storage.create(key, payload: [1], policy: self.policy)
        try await self.server.age(by: .seconds(-100))
        let stored = try #require(try await self.server.storage.load(key))
        #expect(stored.age == .zero && stored.unused == .zero)
    }

    // MARK: Two nodes

    @Test func `logging out on one node ends the session on the other, also for a save in flight there`() async throws {
        let other = RedisSessionStorage(try RedisClient(TestServers.redis ?? "", configuration: .patient), prefix: self.server.prefix)
        let (one, two) = (Sessions<Profile>(storage: self.server.storage), Sessions<Profile>(storage: other))
        let session = try await one.create(Profile(user: "ada"))
        var inFlight = try #require(try await two.load(session.id))
        try await one.end(session.id)
        #expect(try await two.load(session.id) == nil)
        inFlight.payload.visits = 1
        let error = await #expect(throws: SessionError.self) { try await two.save(inFlight) }
        #expect(error?.code == .ended)
        #expect(try await self.server.names() == [])
    }

    @Test func `of many updates on two nodes none is lost`() async throws {
        let other = RedisSessionStorage(try RedisClient(TestServers.redis ?? "", configuration: .patient), prefix: self.server.prefix)
        let nodes = [Sessions<Profile>(storage: self.server.storage), Sessions<Profile>(storage: other)]
        let session = try await nodes[0].create(Profile(user: "ada"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask { try await nodes[number % 2].update(session) { $0.visits += 1 } }
            }
            try await group.waitForAll()
        }
        #expect(try await nodes[1].load(session.id)?.payload.visits == 20)
    }

    @Test func `a cancelled call says so`() async throws {
        let sessions = Sessions<Profile>(storage: self.server.storage)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await sessions.create(Profile(user: "ada"))
        }
        let error = await #expect(throws: SessionError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }
}

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct RedisSessionStorageFaultTests {
    let policy = SessionPolicy(idle: .seconds(1000), absolute: .seconds(3000))

    @Test func `a server that is down is a typed error without id or payload, and the same storage works when it is back`() async throws {
        let server = try await PrivateRedis.running()
        var configuration = RedisConfiguration()
        configuration.connectTimeout = .milliseconds(200)
        configuration.commandTimeout = .milliseconds(500)
        let redis = try RedisClient(server.url, configuration: configuration)
        let sessions = Sessions<String>(storage: RedisSessionStorage(redis))
        // The limits are short for the calls that fail; a busy machine may take longer than that to answer the others.
        let session = try await eventually { try? await sessions.create("payload-secret") }
        try await server.kill()
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await sessions.load(session.id) }, { _ = try await sessions.create("payload-secret") },
            { _ = try await sessions.end(session.id) }, { _ = try await sessions.isAlive(session) },
            { _ = try await sessions.update(session) { $0 += "!" } }, { _ = try await sessions.rotate(session) },
        ]
        for call in calls {
            let error = try await expectThrows(SessionError.self) { try await call() }
            #expect(error.code == .storageUnavailable)
            #expect(error.place == "127.0.0.1:\(server.port)")
            #expect(!"\(error)".contains("payload-secret") && !"\(error)".contains(session.id.cookieValue))
            #expect(!"\(error)".contains(SessionKey(session.id).hexadecimal))
        }
        try await server.start()
        let later = try await eventually { try? await sessions.create("again") }
        #expect(try await eventually { try? await sessions.load(later.id)?.payload } == "again")
        let before = try await eventually { () async throws -> Session<String>?? in
            do { return .some(try await sessions.load(session.id)) } catch is SessionError { return nil }
        }
        #expect(before == nil, "this server keeps nothing over a restart")
    }

    @Test func `a server that forgot its scripts is taught them again`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .patient)
        let sessions = Sessions<String>(storage: RedisSessionStorage(redis))
        let session = try await sessions.create("a")
        _ = try await redis.send(RedisCommand("SCRIPT", ["FLUSH"]))
        try await sessions.update(session) { $0 = "b" }
        #expect(try await sessions.load(session.id)?.payload == "b")
    }

    @Test func `a full server refuses writes with a typed error and loses nothing`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .patient)
        let storage = RedisSessionStorage(redis)
        let (key, next) = (SessionKey(SessionID()), SessionKey(SessionID()))
        let version = try await storage.create(key, payload: [1], policy: self.policy)
        _ = try await redis.send(RedisCommand("CONFIG", ["SET", "maxmemory", "1"]))

        let writes: [@Sendable () async throws -> Void] = [
            { _ = try await storage.create(next, payload: [2], policy: self.policy) },
            { _ = try await storage.save(key, payload: [2], ifVersion: version, policy: self.policy) },
            { _ = try await storage.rotate(key, to: next, payload: [2], ifVersion: version, lifetime: .kept, policy: self.policy) },
        ]
        for write in writes {
            let error = try await expectThrows(SessionError.self) { try await write() }
            #expect(error.code == .storageFull)
            #expect(try await storage.load(key)?.payload == [1])
            #expect(try await storage.load(next) == nil)
        }
        #expect(try await storage.delete(key), "a logout works on a full server")
    }

    @Test func `a server that evicts is warned of, by its policy's name`() async throws {
        let server = try await PrivateRedis.running("--maxmemory-policy", "allkeys-lru")
        let redis = try RedisClient(server.url, configuration: .patient)
        let warning = try await RedisSessionStorage(redis).evictionWarning()
        #expect(warning?.contains("allkeys-lru") == true)
        _ = try await redis.send(RedisCommand("CONFIG", ["SET", "maxmemory-policy", "noeviction"]))
        #expect(try await RedisSessionStorage(redis).evictionWarning() == nil)
    }
}
