import InMemoryLogging
import Logging
import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

/// Nothing that a program prints, logs or dumps shows an id or a payload.
@Suite struct SecrecyTests {
    private func renderings(of value: Any) -> [String] {
        var dumped = ""
        dump(value, to: &dumped)
        return ["\(value)", String(describing: value), String(reflecting: value), dumped, "\([value])", String(reflecting: [value])]
    }

    @Test func `an id never shows in a description, an interpolation, a dump or a mirror`() async throws {
        let storage = FakeSessionStorage()
        let sessions = Sessions<Profile>(storage: storage)
        let session = try await sessions.create(Profile(user: "payload-secret"))
        let secrets = [session.id.cookieValue, "payload-secret"]
        let stored = try #require(try await storage.load(SessionKey(session.id)))
        let request = RequestSession(sessions, presented: .id(session.id))
        _ = try await request.payload()
        let holders: [Any] = [
            session.id, session, SessionKey(session.id), stored, request, SessionCookie.Presented.id(session.id),
            RequestSession<Profile>.CookieChange.set(session.id, remaining: .seconds(1)), Optional(session.id) as Any, ["id": session.id],
            storage.facts.all,
        ]
        for holder in holders {
            for text in self.renderings(of: holder) {
                #expect(!secrets.contains { text.contains($0) }, "\(type(of: holder))")
            }
        }
        #expect(String(decoding: stored.payload, as: UTF8.self).contains("payload-secret"), "the secret is there to be hidden")
    }

    @Test func `no log line holds an id or a payload`() async throws {
        let log = InMemoryLogHandler()
        var logger = Logger(label: "test") { _ in log }
        logger.logLevel = .trace
        let storage = FakeSessionStorage()
        let sessions = Sessions<Profile>(storage: storage, logger: logger)
        let session = try await sessions.create(Profile(user: "payload-secret"))

        storage.damage(SessionKey(session.id), payload: Array("payload-secret".utf8))
        storage.faults.failNext(with: FakeSessionStorage.unavailable) { $0.verb == .delete }
        #expect(try await sessions.load(session.id) == nil)
        let other = try await sessions.create(Profile(user: "payload-secret"))
        let request = RequestSession(sessions, presented: .id(other.id))
        try await request.update { $0.visits += 1 }
        try await sessions.end(other.id)
        _ = try await request.commit()

        #expect(log.entries.count >= 3)
        for entry in log.entries {
            let text = "\(entry.message) \(entry.metadata)"
            for secret in ["payload-secret", session.id.cookieValue, other.id.cookieValue] { #expect(!text.contains(secret)) }
        }
    }

    @Test func `no error holds an id or a payload`() async throws {
        let sessions = Sessions<Profile>(storage: FakeSessionStorage(), maximumPayloadSize: 40)
        let session = try await sessions.create(Profile(user: "secret"))
        var changed = session
        changed.payload.visits = 1
        try await sessions.save(changed)
        changed.payload.visits = 2
        let conflict = await #expect(throws: SessionError.self) { try await sessions.save(changed) }
        let tooLarge = await #expect(throws: SessionError.self) {
            try await sessions.create(Profile(user: String(repeating: "secret", count: 100)))
        }
        try await sessions.end(session.id)
        let ended = await #expect(throws: SessionError.self) { try await sessions.update(changed) { $0.visits = 3 } }
        let errors = [try #require(conflict), try #require(tooLarge), try #require(ended)]
        #expect(errors.map(\.code) == [.conflict, .payloadTooLarge, .ended])
        for error in errors {
            for text in self.renderings(of: error) {
                #expect(!text.contains("secret") && !text.contains(session.id.cookieValue))
            }
        }
    }

    @Test func `an encoder's error, which quotes values, is not passed on`() async throws {
        struct Ratio: Codable, Sendable { var value = Double.infinity }
        let error = await #expect(throws: SessionError.self) {
            try await Sessions<Ratio>(storage: FakeSessionStorage()).create(Ratio())
        }
        #expect(error?.code == .payloadNotEncodable)
        #expect(error.map { "\($0)".contains("inf") } == false)
    }

    @Test func `the storage sees the hash of the id and never the id`() async throws {
        let storage = FakeSessionStorage()
        let session = try await Sessions<Profile>(storage: storage).create(Profile(user: "a"))
        let key = try #require(storage.facts.all.first?.call.key)
        #expect(key == SessionKey(session.id))
        #expect(key.hexadecimal.count == 64 && !key.hexadecimal.contains(session.id.cookieValue))
    }
}
