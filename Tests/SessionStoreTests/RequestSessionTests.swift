import ScaleCore
import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

/// What one request does with its session, without a web framework.
@Suite struct RequestSessionTests {
    let storage = FakeSessionStorage()
    let sessions: Sessions<Profile>

    init() {
        self.sessions = Sessions(storage: self.storage)
    }

    private var verbs: [SessionStorageCall.Verb] { self.storage.facts.all.map(\.verb) }

    private func request(_ id: SessionID?) -> RequestSession<Profile> {
        RequestSession(self.sessions, presented: id.map { .id($0) } ?? .nothing)
    }

    private func id(of change: RequestSession<Profile>.CookieChange) throws -> SessionID {
        guard case .set(let id, _) = change else { throw TestFailure("no cookie is set") }
        return id
    }

    // MARK: Reading

    @Test func `a request that does not ask causes no storage access`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let before = self.storage.facts.count
        let request = self.request(session.id)
        #expect(try await request.commit() == .none)
        #expect(!request.isAccessed)
        #expect(self.storage.facts.count == before)
    }

    @Test func `a request that reads loads once and writes nothing`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        for _ in 0..<3 { #expect(try await request.payload()?.user == "ada") }
        #expect(try await request.commit() == .none)
        #expect(self.verbs == [.create, .load])
        #expect(request.isAccessed)
    }

    @Test(arguments: [SessionCookie.Presented.nothing, .ambiguous])
    func `without one id in the cookie there is no session, and the storage is not asked`(presented: SessionCookie.Presented) async throws {
        let request = RequestSession(self.sessions, presented: presented)
        #expect(try await request.payload() == nil)
        #expect(try await !request.isAlive())
        #expect(try await request.commit() == .none)
        #expect(self.storage.facts.count == 0)
    }

    @Test func `what needs a session says so when there is none`() async throws {
        for id in [nil, SessionID()] {
            let request = self.request(id)
            let calls: [() async throws -> Void] = [
                { _ = try await request.required() }, { try await request.update { $0.visits += 1 } }, { try await request.rotate() },
            ]
            for call in calls {
                let error = try await expectThrows(SessionError.self) { try await call() }
                #expect(error.code == .noSession)
            }
            #expect(try await request.commit() == .none)
        }
        #expect(self.storage.count == 0)
    }

    @Test func `a request without middleware says so`() async throws {
        let request = RequestSession<Profile>()
        let calls: [() async throws -> Void] = [
            { _ = try await request.payload() }, { try await request.update { $0.visits += 1 } }, { try await request.rotate() },
            { try request.begin(Profile(user: "a")) }, { try await request.end() }, { _ = try await request.isAlive() },
        ]
        for call in calls {
            let error = try await expectThrows(SessionError.self) { try await call() }
            #expect(error.code == .notInstalled)
        }
    }

    // MARK: Changing

    @Test func `changes are seen by the request at once, and written once, at the commit`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await request.update { $0.visits += 1 }
        try await request.update { $0.visits += 1 }
        #expect(try await request.payload()?.visits == 2)
        #expect(self.verbs == [.create, .load])
        #expect(try await request.commit() == .none)
        #expect(self.verbs == [.create, .load, .save])
        #expect(try await self.sessions.load(session.id)?.payload.visits == 2)
        #expect(try await request.payload()?.visits == 2)
    }

    @Test(.timeLimit(.minutes(5))) func `a change may ask the session itself`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await request.update { payload in
            if request.isAccessed { payload.visits += 1 }
            payload.tags.append("\(request)")
        }
        try await request.rotate { if request.isAccessed { $0.visits += 1 } }
        #expect(try await request.payload()?.visits == 2)
        let id = try await self.id(of: request.commit())
        #expect(try await self.sessions.load(id)?.payload.visits == 2)
    }

    @Test(.timeLimit(.minutes(5))) func `changes by several tasks of a request are all kept`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                group.addTask { try await request.update { $0.visits += 1 } }
                group.addTask { try await request.update { $0.tags.append("\(number)") } }
            }
            try await group.waitForAll()
        }
        let payload = try await request.required()
        #expect(payload.visits == 100)
        #expect(Set(payload.tags).count == 100)
        _ = try await request.commit()
        #expect(try await self.sessions.load(session.id)?.payload == payload)
    }

    /// one:    reads ─────────── stores? no: reads, stores
    /// other:         stores
    @Test func `a change made from what no longer holds is made anew`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        let isFirst = Locked(true)
        try await request.update { payload in
            if isFirst.withLock({ first in
                defer { first = false }; return first
            }) {
                try? request.begin(Profile(user: "bob"))
            }
            payload.visits += 1
        }
        #expect(try await request.payload() == Profile(user: "bob", visits: 1))
    }

    @Test(.timeLimit(.minutes(5))) func `a change that never comes to rest is an error and not an endless loop`() async throws {
        let request = self.request(nil)
        try request.begin(Profile(user: "ada"))
        let error = await #expect(throws: SessionError.self) {
            try await request.update { payload in
                try? request.begin(Profile(user: "bob"))
                payload.visits += 1
            }
        }
        #expect(error?.code == .conflict)
        #expect(try await request.payload() == Profile(user: "bob"))
    }

    @Test func `a change that finds the session ended or the answer decided by then is refused`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        let error = await #expect(throws: SessionError.self) { try await request.update { _ in request.abandon() } }
        #expect(error?.code == .alreadyAnswered)
        #expect(try await request.payload() == Profile(user: "ada"))
    }

    @Test func `a change and its reversal write nothing`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await request.update { $0.visits += 1 }
        try await request.update { $0.visits -= 1 }
        #expect(try await request.commit() == .none)
        #expect(self.verbs == [.create, .load])
    }

    /// one:    reads, changes ────────────── commits
    /// other:                  changes, commits
    @Test func `two requests that change the session at the same time are merged`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let (one, other) = (self.request(session.id), self.request(session.id))
        try await one.update { $0.visits += 1 }
        try await other.update { $0.tags.append("other") }
        _ = try await other.commit()
        _ = try await one.commit()
        #expect(try await self.sessions.load(session.id)?.payload == Profile(user: "ada", visits: 1, tags: ["other"]))
        #expect(try await one.payload()?.tags == ["other"])
    }

    @Test func `changes after the commit are refused, and reads still work`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        for isAbandoned in [false, true] {
            let request = self.request(session.id)
            try await request.update { $0.visits += 1 }
            if isAbandoned { request.abandon() } else { _ = try await request.commit() }
            let calls: [() async throws -> Void] = [
                { try await request.update { $0.visits += 1 } }, { try await request.rotate() }, { try request.begin(Profile(user: "a")) },
                { try await request.end() },
            ]
            for call in calls {
                let error = try await expectThrows(SessionError.self) { try await call() }
                #expect(error.code == .alreadyAnswered)
            }
            #expect(try await request.payload()?.user == "ada")
            #expect(try await request.commit() == .none)
        }
        #expect(try await self.sessions.load(session.id)?.payload.visits == 1)
    }

    // MARK: Logging in

    @Test func `a login begins a session under a new id, and ends the one that the browser had`() async throws {
        let before = try await self.sessions.create(Profile(user: "", tags: ["cart"]))
        let request = self.request(before.id)
        try request.begin(Profile(user: "ada"))
        try await request.update { $0.visits = 1 }
        #expect(try await request.isAlive())
        let change = try await request.commit()
        let id = try self.id(of: change)
        #expect(change == .set(id, remaining: .seconds(43_200)))
        #expect(id != before.id)
        #expect(try await self.sessions.load(id)?.payload == Profile(user: "ada", visits: 1))
        #expect(try await self.sessions.load(before.id) == nil)
        #expect(self.storage.count == 1)
    }

    @Test func `a login does not adopt an id that the client chose`() async throws {
        let chosen = SessionID()
        let request = self.request(chosen)
        try request.begin(Profile(user: "ada"))
        #expect(try await self.id(of: request.commit()) != chosen)
        #expect(try await self.sessions.load(chosen) == nil)
    }

    @Test func `a login that fails to store throws, and hands out no cookie`() async throws {
        let request = self.request(nil)
        try request.begin(Profile(user: "ada"))
        self.storage.faults.failNext(with: FakeSessionStorage.unavailable) { $0.verb == .create }
        let error = await #expect(throws: SessionError.self) { try await request.commit() }
        #expect(error?.code == .storageUnavailable)
    }

    @Test func `a rotation keeps payload and age, with the request's changes, under a new id`() async throws {
        let before = try await self.sessions.create(Profile(user: "", tags: ["cart"]))
        await self.storage.time.advance(by: .seconds(100))
        let request = self.request(before.id)
        try await request.update { $0.visits = 1 }
        try await request.rotate { $0.user = "ada" }
        let change = try await request.commit()
        let id = try self.id(of: change)
        #expect(change == .set(id, remaining: .seconds(43_100)))
        #expect(try await self.sessions.load(id)?.payload == Profile(user: "ada", visits: 1, tags: ["cart"]))
        #expect(try await self.sessions.load(before.id) == nil)
        #expect(self.storage.facts.all.filter(\.isWrite).map(\.verb) == [.create, .rotate])
    }

    /// login:  reads, rotates ──────────── commits: ended
    /// other:                  logs out
    @Test func `a rotation whose session was logged out meanwhile throws, and revives nothing`() async throws {
        let session = try await self.sessions.create(Profile(user: ""))
        let request = self.request(session.id)
        try await request.rotate { $0.user = "ada" }
        try await self.sessions.end(session.id)
        let error = await #expect(throws: SessionError.self) { try await request.commit() }
        #expect(error?.code == .ended)
        #expect(self.storage.count == 0)
    }

    // MARK: Logging out

    /// request:  reads, changes ────────── commits: dropped
    /// browser:                  logs out
    @Test func `a commit in flight does not revive a session that was logged out, and its answer stands`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let (request, logout) = (self.request(session.id), self.request(session.id))
        try await request.update { $0.visits += 1 }
        try await logout.end()
        #expect(try await logout.commit() == .clear)
        #expect(try await !request.isAlive())
        #expect(try await request.commit() == .none)
        #expect(self.storage.count == 0)
        #expect(try await request.payload() == nil)
    }

    @Test func `a logout takes effect before the handler returns, and needs no load`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await request.end()
        #expect(self.verbs == [.create, .delete])
        #expect(self.storage.count == 0)
        #expect(try await request.payload() == nil)
        #expect(try await !request.isAlive())
        request.abandon()
        #expect(self.storage.count == 0)
    }

    @Test func `a logout without a session clears the cookie and asks no storage`() async throws {
        let request = self.request(nil)
        try await request.end()
        try await request.end()
        #expect(try await request.commit() == .clear)
        #expect(self.storage.facts.count == 0)
    }

    @Test func `a logout that could not be stored throws, and the session lives on`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        self.storage.faults.failNext(with: FakeSessionStorage.unavailable)
        let error = await #expect(throws: SessionError.self) { try await request.end() }
        #expect(error?.code == .storageUnavailable)
        #expect(try await self.sessions.isAlive(session))
        try await request.end()
        #expect(try await !self.sessions.isAlive(session))
    }

    @Test func `login and logout in one request: the later one counts`() async throws {
        let first = try await self.sessions.create(Profile(user: "ada"))
        let outAndIn = self.request(first.id)
        try await outAndIn.end()
        try outAndIn.begin(Profile(user: "bob"))
        let id = try await self.id(of: outAndIn.commit())
        #expect(try await self.sessions.load(id)?.payload.user == "bob")

        let inAndOut = self.request(id)
        try inAndOut.begin(Profile(user: "eve"))
        try await inAndOut.end()
        #expect(try await inAndOut.commit() == .clear)
        #expect(self.storage.count == 0)
    }

    @Test func `what a failed answer decided is dropped`() async throws {
        let session = try await self.sessions.create(Profile(user: "ada"))
        let request = self.request(session.id)
        try await request.update { $0.visits += 1 }
        request.abandon()
        #expect(try await request.commit() == .none)
        #expect(self.verbs == [.create, .load])
    }
}
