import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

@Suite struct SessionsTests {
    let storage = FakeSessionStorage()
    let sessions: Sessions<Profile>

    init() {
        self.sessions = Sessions(storage: self.storage, policy: SessionPolicy(idle: .seconds(100), absolute: .seconds(1000)))
    }

    private var writes: [SessionStorageCall.Verb] { self.storage.facts.all.filter(\.isWrite).map(\.verb) }

    // MARK: Reading

    @Test func `a created session is loaded by its id with its payload`() async throws {
        let created = try await self.sessions.create(Profile(user: "ada", tags: ["a"]))
        let loaded = try #require(try await self.sessions.load(created.id))
        #expect(loaded.payload == Profile(user: "ada", tags: ["a"]))
        #expect(loaded.id == created.id)
    }

    @Test func `an id that the storage does not know is never adopted`() async throws {
        let chosen = SessionID()
        #expect(try await self.sessions.load(chosen) == nil)
        let created = try await self.sessions.create(Profile(user: "ada"))
        #expect(created.id != chosen)
        #expect(try await self.sessions.load(chosen) == nil)
        #expect(self.storage.count == 1)
    }

    @Test func `a payload that cannot be decoded is no session, and is deleted`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        for payload in [[], [0xFF], Array("{\"user\":7}".utf8), Array("null".utf8)] as [[UInt8]] {
            let session = try await self.sessions.create(Profile(user: "bob"))
            self.storage.damage(SessionKey(session.id), payload: payload)
            #expect(try await self.sessions.load(session.id) == nil)
            #expect(self.storage.facts.all.last?.verb == .delete)
            #expect(self.storage.facts.all.last?.outcome == .done)
        }
        #expect(self.storage.count == 1)
        #expect(try await self.sessions.load(session.id) != nil)
    }

    @Test func `a payload that cannot be decoded is no session also when it cannot be deleted`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        self.storage.damage(SessionKey(session.id))
        self.storage.faults.failNext(with: FakeSessionStorage.unavailable) { $0.verb == .delete }
        #expect(try await self.sessions.load(session.id) == nil)
        try self.storage.faults.expectAllStruck()
    }

    @Test func `a storage that does not answer is an error and not "no session"`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        self.storage.faults.failNext(with: FakeSessionStorage.unavailable)
        let error = await #expect(throws: SessionError.self) { try await self.sessions.load(session.id) }
        #expect(error?.code == .storageUnavailable)
    }

    // MARK: Expiry

    @Test func `a session is over after the idle limit without use`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        await self.storage.time.advance(by: .seconds(99))
        #expect(try await self.sessions.isAlive(session))
        await self.storage.time.advance(by: .seconds(1))
        #expect(try await !self.sessions.isAlive(session))
        #expect(try await self.sessions.load(session.id) == nil)
    }

    @Test func `use prolongs the idle limit, and nothing prolongs the absolute one`() async throws {
        var session = try await self.sessions.create(Profile(user: "ada"))
        for second in stride(from: 50, to: 1000, by: 50) {
            await self.storage.time.advance(by: .seconds(50))
            session = try #require(try await self.sessions.load(session.id), "over after \(second) s of use")
            session = try await self.sessions.update(session) { $0.visits += 1 }
            if second == 500 { session = try await self.sessions.rotate(session) }
        }
        await self.storage.time.advance(by: .seconds(49))
        #expect(try await self.sessions.load(session.id) != nil)
        await self.storage.time.advance(by: .seconds(1))
        #expect(try await self.sessions.load(session.id) == nil)
    }

    @Test func `reading records use at most once in a tenth of the idle limit`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        for _ in 0..<40 {
            await self.storage.time.advance(by: .seconds(1))
            #expect(try await self.sessions.load(session.id) != nil)
        }
        #expect(self.writes == [.create, .touch, .touch, .touch, .touch])
    }

    @Test func `asking whether a session is alive is not use`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        for _ in 0..<9 {
            await self.storage.time.advance(by: .seconds(11))
            #expect(try await self.sessions.isAlive(session))
        }
        #expect(self.writes == [.create])
        await self.storage.time.advance(by: .seconds(1))
        #expect(try await !self.sessions.isAlive(session))
    }

    @Test func `a session that ends between the read and the touch is no session`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        await self.storage.time.advance(by: .seconds(50))
        let touching = Gate("touch")
        self.storage.faults.plan(.pause(at: touching)) { $0.verb == .touch }
        async let loaded = self.sessions.load(session.id)
        try await touching.waitForArrivals()
        try await self.sessions.end(session.id)
        touching.open()
        #expect(try await loaded == nil)
        #expect(self.storage.count == 0)
    }

    @Test(arguments: [(SessionError.Code.storageFull, true), (.storageUnavailable, true), (.cancelled, false)])
    func `a session whose use cannot be recorded is loaded all the same`(code: SessionError.Code, isLoaded: Bool) async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        await self.storage.time.advance(by: .seconds(50))
        self.storage.faults.failNext(with: SessionError(code: code, message: "planned")) { $0.verb == .touch }
        let loaded = try? await self.sessions.load(session.id)
        #expect((loaded != nil) == isLoaded)
        try self.storage.faults.expectAllStruck()
    }

    @Test func `a policy that was shortened ends older sessions at once, and for good`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        await self.storage.time.advance(by: .seconds(30))
        let shorter = Sessions<Profile>(storage: self.storage, policy: SessionPolicy(idle: .seconds(30), absolute: .seconds(1000)))
        #expect(try await shorter.load(session.id) == nil)
        #expect(try await self.sessions.load(session.id) == nil)
    }

    @Test(arguments: [
        (SessionPolicy(idle: .nanoseconds(1), absolute: .nanoseconds(1)), true),
        (SessionPolicy(idle: .zero, absolute: .seconds(1)), false),
        (SessionPolicy(idle: .seconds(1), absolute: .zero), false),
        (SessionPolicy(idle: .seconds(-1), absolute: .seconds(1)), false),
        (SessionPolicy(idle: .seconds(Int64.max), absolute: .seconds(Int64.max)), true),
    ])
    func `limits that are not longer than zero are refused at every call`(policy: SessionPolicy, isValid: Bool) async throws {
        let sessions = Sessions<Profile>(storage: self.storage, policy: policy)
        let known = try await self.sessions.create(Profile(user: "ada"))
        let calls: [() async throws -> Void] = [
            { _ = try await sessions.create(Profile(user: "a")) },
            { _ = try await sessions.load(known.id) },
            { _ = try await sessions.isAlive(known) },
            { _ = try await sessions.rotate(known) },
        ]
        for call in calls.prefix(isValid ? 1 : calls.count) {
            let error = await self.error(call)
            #expect(error?.code == (isValid ? nil : .configuration))
        }
    }

    // MARK: Saving

    @Test func `an unchanged payload is not written`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada", tags: ["x", "y"]))
        try await self.sessions.save(session)
        try await self.sessions.update(session) { $0.visits += 0 }
        #expect(self.writes == [.create])
    }

    @Test func `a payload is refused when it is one byte too large, and nothing is written`() async throws {
        let fits = Profile(user: "abc")
        let size = #"{"tags":[],"user":"abc","visits":0}"#.utf8.count
        let sessions = Sessions<Profile>(storage: self.storage, maximumPayloadSize: size)
        let session = try await sessions.create(fits)
        let error = await self.error { _ = try await sessions.create(Profile(user: "abcd")) }
        #expect(error?.code == .payloadTooLarge)
        #expect(error?.message.contains("\(size + 1)") == true && error?.message.contains("\(size)") == true)
        let update = await self.error { try await sessions.update(session) { $0.user = "abcd" } }
        #expect(update?.code == .payloadTooLarge)
        #expect(try await sessions.load(session.id)?.payload == fits)
    }

    /// one:    loads ───────────── saves: conflict
    /// other:         loads, saves
    @Test func `of two saves from one state the second is a conflict and loses nothing`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        var (one, other) = (try #require(try await self.sessions.load(session.id)), try #require(try await self.sessions.load(session.id)))
        one.payload.tags = ["one"]
        other.payload.tags = ["other"]
        try await self.sessions.save(other)
        let error = await self.error { try await self.sessions.save(one) }
        #expect(error?.code == .conflict)
        #expect(try await self.sessions.load(session.id)?.payload.tags == ["other"])
    }

    @Test func `an update that meets a conflict is applied again to what the other saved`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        try await self.sessions.update(session) { $0.tags.append("other") }
        let merged = try await self.sessions.update(session) { $0.visits += 1 }
        #expect(merged.payload == Profile(user: "ada", visits: 1, tags: ["other"]))
        #expect(try await self.sessions.load(session.id)?.payload == merged.payload)
    }

    @Test func `of many updates at the same time none is lost`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { try await self.sessions.update(session) { $0.visits += 1 } }
            }
            try await group.waitForAll()
        }
        #expect(try await self.sessions.load(session.id)?.payload.visits == 20)
    }

    @Test func `an update gives up after its attempts with a conflict`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        var runs = 0
        for attempts in [1, 3] {
            runs = 0
            // Whoever reloads finds the session changed once more before the save.
            let error = await self.error {
                try await self.sessions.update(session, attempts: attempts) { payload in
                    runs += 1
                    payload.visits += 1
                    self.storage.faults.failNext(with: SessionError(code: .conflict, message: "planned")) { $0.verb == .save }
                }
            }
            #expect(error?.code == .conflict)
            #expect(runs == attempts)
        }
    }

    @Test func `what the change throws ends the update, and nothing is written`() async throws {
        struct Refused: Error {}
        let session = try await self.sessions.create(Profile(user: "ada"))
        await #expect(throws: Refused.self) {
            try await self.sessions.update(session) { payload in
                payload.visits = 9
                throw Refused()
            }
        }
        #expect(self.writes == [.create])
    }

    // MARK: Ending

    /// request:  loads ──────────── saves: ended
    /// browser:         logs out
    @Test func `a save in flight cannot revive a session that was logged out`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        var inFlight = try #require(try await self.sessions.load(session.id))
        #expect(try await self.sessions.end(session.id))
        inFlight.payload.visits = 1
        let save = await self.error { try await self.sessions.save(inFlight) }
        let update = await self.error { try await self.sessions.update(inFlight) { $0.visits += 1 } }
        let rotation = await self.error { _ = try await self.sessions.rotate(inFlight) }
        for error in [save, update, rotation] { #expect(error?.code == .ended) }
        #expect(try await self.sessions.load(session.id) == nil)
        #expect(self.storage.count == 0)
    }

    @Test func `a session that ends between an update's attempts ends the update`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        try await self.sessions.update(session) { $0.visits = 5 }
        let reloading = Gate("reload")
        self.storage.faults.plan(.pause(at: reloading)) { $0.verb == .load }
        async let failure = self.error { try await self.sessions.update(session) { $0.visits += 1 } }
        try await reloading.waitForArrivals()
        try await self.sessions.end(session.id)
        reloading.open()
        #expect(await failure?.code == .ended)
        #expect(self.storage.count == 0)
    }

    @Test func `ending a session ends no other one of the same user`() async throws {
        let (phone, laptop) = (try await self.sessions.create(Profile(user: "ada")), try await self.sessions.create(Profile(user: "ada")))
        #expect(try await self.sessions.end(phone.id))
        #expect(try await !self.sessions.end(phone.id))
        #expect(try await self.sessions.isAlive(laptop))
        #expect(try await !self.sessions.isAlive(phone))
    }

    // MARK: Rotating

    @Test func `a rotation gives a new id, keeps the payload, and the old id is dead`() async throws {
        let before = try await self.sessions.create(Profile(user: "", tags: ["cart"]))
        let after = try await self.sessions.rotate(before) { $0.user = "ada" }
        #expect(after.id != before.id)
        #expect(try await self.sessions.load(after.id)?.payload == Profile(user: "ada", tags: ["cart"]))
        #expect(try await self.sessions.load(before.id) == nil)
        #expect(try await !self.sessions.isAlive(before))
        #expect(self.storage.count == 1)
    }

    /// request:  loads ───────── saves under the old id: ended
    /// browser:         logs in
    @Test func `a save in flight under the old id neither revives it nor reaches the new one`() async throws {
        let before = try await self.sessions.create(Profile(user: ""))
        let after = try await self.sessions.rotate(before) { $0.user = "ada" }
        let error = await self.error { try await self.sessions.update(before) { $0.user = "mallory" } }
        #expect(error?.code == .ended)
        #expect(try await self.sessions.load(before.id) == nil)
        #expect(try await self.sessions.load(after.id)?.payload.user == "ada")
    }

    @Test func `a rotation that meets a save keeps what was saved`() async throws {
        let before = try await self.sessions.create(Profile(user: ""))
        try await self.sessions.update(before) { $0.tags = ["cart"] }
        let after = try await self.sessions.rotate(before) { $0.user = "ada" }
        #expect(after.payload == Profile(user: "ada", tags: ["cart"]))
    }

    @Test func `a rotation can start the age anew, as a login does`() async throws {
        let before = try await self.sessions.create(Profile(user: ""))
        for _ in 0..<12 {
            await self.storage.time.advance(by: .seconds(75))
            _ = try await self.sessions.load(before.id)
        }
        let kept = try #require(try await self.sessions.load(before.id))
        #expect(kept.age == .seconds(900))
        let after = try await self.sessions.rotate(kept, lifetime: .restarted)
        #expect(after.age == .zero)
        await self.storage.time.advance(by: .seconds(99))
        #expect(try await self.sessions.load(after.id)?.age == .seconds(99))
        await self.storage.time.advance(by: .seconds(50))
        #expect(try await self.sessions.load(after.id) != nil)
    }

    @Test func `a rotation whose reply is lost leaves no id alive that anybody knows`() async throws {
        let before = try await self.sessions.create(Profile(user: ""))
        self.storage.faults.plan(.lostReply(FakeSessionStorage.unavailable)) { $0.verb == .rotate }
        let error = await self.error { _ = try await self.sessions.rotate(before) }
        #expect(error?.code == .storageUnavailable)
        #expect(try await self.sessions.load(before.id) == nil)
    }

    private func error(_ call: () async throws -> Void) async -> SessionError? {
        do {
            try await call()
            return nil
        } catch {
            return error as? SessionError
        }
    }
}
