#if Hummingbird
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import ScaleCore
import ScaleTesting
import SessionStore
@testable import SessionStoreHummingbird
import SessionStoreTesting
import Testing

@Suite struct SessionMiddlewareTests {
    let service = SessionService()

    private var verbs: [SessionStorageCall.Verb] { self.service.storage.facts.all.map(\.verb) }

    /// One request; the cookie's value is sent under the service's cookie name.
    private func send(
        _ method: HTTPRequest.Method, _ path: String, session: String? = nil, _ service: SessionService? = nil
    ) async throws -> TestResponse {
        let service = service ?? self.service
        let headers: HTTPFields = session.map { [.cookie: "theme=dark; \(service.cookie.name)=\($0)"] } ?? [:]
        return try await service.application().test(.router) { client in
            try await client.execute(uri: path, method: method, headers: headers)
        }
    }

    private func text(_ response: TestResponse) -> String { String(buffer: response.body) }

    private func cookies(_ response: TestResponse) -> [String] { response.headers[values: .setCookie] }

    /// Logs in and returns what the browser holds then.
    private func logIn(session: String? = nil) async throws -> String {
        let response = try await self.send(.post, "/login", session: session)
        let line = try #require(self.cookies(response).first)
        return String(line.prefix { $0 != ";" }.drop { $0 != "=" }.dropFirst())
    }

    // MARK: Lazy

    @Test func `a request that does not ask causes no storage access, no cookie, no Vary`() async throws {
        let id = try await self.logIn()
        let before = self.service.storage.facts.count
        for session in [nil, id, SessionID().cookieValue, "garbage"] {
            let response = try await self.send(.get, "/plain", session: session)
            #expect(response.status == .ok)
            #expect(self.cookies(response) == [])
            #expect(response.headers[.vary] == nil)
        }
        #expect(self.service.storage.facts.count == before)
    }

    @Test func `reading never sets the cookie and writes nothing`() async throws {
        let id = try await self.logIn()
        for _ in 0..<3 {
            let response = try await self.send(.get, "/me", session: id)
            #expect(self.text(response) == "ada")
            #expect(self.cookies(response) == [])
            #expect(response.headers[.cacheControl] == nil)
            #expect(response.headers[values: .vary] == ["Cookie"])
        }
        #expect(self.verbs == [.create, .load, .load, .load])
    }

    @Test func `a change is saved without a new cookie`() async throws {
        let id = try await self.logIn()
        let response = try await self.send(.post, "/visit/200", session: id)
        #expect(response.status == .ok)
        #expect(self.cookies(response) == [])
        #expect(self.verbs == [.create, .load, .save])
    }

    // MARK: Login and logout

    @Test func `a login sets the cookie once, to the letter, and forbids storing the answer`() async throws {
        let response = try await self.send(.post, "/login")
        let lines = self.cookies(response)
        #expect(lines.count == 1)
        let id = try #require(SessionID(lines[0].dropFirst("__Host-session=".count).prefix(43)))
        #expect(lines[0] == "__Host-session=\(id.cookieValue); Path=/; Secure; HttpOnly; SameSite=Lax")
        #expect(response.headers[values: .cacheControl] == ["no-store"])
        #expect(try await self.service.sessions.load(id)?.payload.user == "ada")
    }

    @Test func `a login never adopts what the client sent, and ends what the browser had`() async throws {
        let chosen = SessionID().cookieValue
        let first = try await self.logIn(session: chosen)
        #expect(first != chosen)
        #expect(try await self.send(.get, "/me", session: chosen).status == .unauthorized)

        let second = try await self.logIn(session: first)
        #expect(second != first)
        #expect(try await self.send(.get, "/me", session: first).status == .unauthorized)
        #expect(try await self.send(.get, "/me", session: second).status == .ok)
        #expect(self.service.storage.count == 1)
    }

    @Test func `a rotation sets a new cookie; the old id is dead`() async throws {
        let before = try await self.logIn()
        let response = try await self.send(.post, "/rotate", session: before)
        #expect(self.cookies(response).count == 1)
        #expect(response.headers[.cacheControl] == "no-store")
        #expect(try await self.send(.get, "/me", session: before).status == .unauthorized)
        #expect(self.service.storage.count == 1)
    }

    @Test func `a logout ends the session and clears the cookie, also without a session`() async throws {
        let id = try await self.logIn()
        for session in [id, id, nil, SessionID().cookieValue, "garbage"] {
            let response = try await self.send(.post, "/logout", session: session)
            #expect(response.status == .noContent)
            #expect(self.cookies(response) == ["__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"])
            #expect(response.headers[values: .cacheControl] == ["no-store"])
            #expect(try await self.send(.get, "/me", session: id).status == .unauthorized)
        }
    }

    @Test func `the development switch drops the prefix and Secure, nothing else`() async throws {
        let service = SessionService(cookie: SessionCookie(insecureCookies: true))
        let login = try await self.send(.post, "/login", service)
        let line = try #require(self.cookies(login).first)
        let id = String(line.dropFirst("session=".count).prefix(43))
        #expect(line == "session=\(id); Path=/; HttpOnly; SameSite=Lax")
        #expect(login.headers[.cacheControl] == "no-store")
        #expect(try await self.send(.get, "/me", session: id, service).status == .ok)
        let logout = try await self.send(.post, "/logout", session: id, service)
        #expect(self.cookies(logout) == ["session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"])
    }

    @Test func `two ids in one request are no session`() async throws {
        let (one, other) = (try await self.logIn(), try await self.logIn())
        let response = try await self.send(.get, "/me", session: "\(one); __Host-session=\(other)")
        #expect(response.status == .unauthorized)
    }

    // MARK: Errors

    @Test func `without a session, what needs one is 401 and the rest is served`() async throws {
        for session in [nil, SessionID().cookieValue, "garbage"] {
            #expect(try await self.send(.get, "/me", session: session).status == .unauthorized)
            #expect(try await self.send(.post, "/visit/200", session: session).status == .unauthorized)
            #expect(self.text(try await self.send(.get, "/greeting", session: session)) == "hello stranger")
        }
        #expect(self.service.storage.count == 0)
    }

    @Test func `with the storage down, what needs it is 503 and the rest is served`() async throws {
        let id = try await self.logIn()
        self.service.storage.faults.plan(.failure(FakeSessionStorage.unavailable), times: nil, where: { _ in true })
        for (method, path) in [
            (HTTPRequest.Method.get, "/me"), (.get, "/greeting"), (.post, "/login"), (.post, "/logout"), (.post, "/visit/200"),
        ] {
            let response = try await self.send(method, path, session: id)
            #expect(response.status == .serviceUnavailable, "\(path)")
            #expect(self.cookies(response) == [])
            #expect(!self.text(response).contains(id))
        }
        #expect(try await self.send(.get, "/plain", session: id).status == .ok)
        self.service.storage.faults.clear()
        #expect(try await self.send(.get, "/me", session: id).status == .ok)
    }

    @Test func `a login that cannot be stored when the answer is decided is 503 and hands out no cookie`() async throws {
        self.service.storage.faults.failNext(with: FakeSessionStorage.unavailable) { $0.verb == .create }
        let response = try await self.send(.post, "/login")
        #expect(response.status == .serviceUnavailable)
        #expect(self.cookies(response) == [])
    }

    @Test(arguments: [(200, true), (404, true), (499, true), (500, false), (503, false), (599, false)])
    func `an answer of 5xx saves nothing, any other saves`(status: Int, isSaved: Bool) async throws {
        let id = try await self.logIn()
        #expect(try await self.send(.post, "/visit/\(status)", session: id).status.code == status)
        #expect(self.verbs.contains(.save) == isSaved)
    }

    @Test(arguments: [(401, true), (422, true), (500, false), (503, false)])
    func `a thrown error of 5xx sets no cookie and stores nothing, any other does both`(status: Int, isStored: Bool) async throws {
        let response = try await self.send(.post, "/login-then/\(status)")
        #expect(response.status.code == status)
        #expect(self.cookies(response).count == (isStored ? 1 : 0))
        #expect(response.headers[values: .cacheControl] == [isStored ? "no-store" : "public"])
        #expect(self.service.storage.count == (isStored ? 1 : 0))
    }

    @Test func `an unknown error saves nothing`() async throws {
        let id = try await self.logIn()
        #expect(try await self.send(.post, "/visit-then-fail", session: id).status == .internalServerError)
        #expect(!self.verbs.contains(.save))
    }

    @Test func `a thrown error below 500 is still itself for middleware further out`() {
        let error = SessionResponseError(
            original: HTTPError(.unauthorized, message: "who are you"), headers: SessionResponseHeaders(setCookie: "__Host-session=secret"))
        #expect((error.original as? HTTPError)?.body == "who are you")
        #expect(!"\(error)".contains("secret") && !String(reflecting: error).contains("secret"))
        var dumped = ""
        dump(error, to: &dumped)
        #expect(!dumped.contains("secret"))
    }

    // MARK: Races

    /// request:  changes ──────────── answers: 200, saves nothing
    /// browser:           logs out
    @Test func `a request in flight is answered after a logout, sees that it is over, and revives nothing`() async throws {
        let id = try await self.logIn()
        self.service.meanwhile.withLock { $0 = { _ = try await self.send(.post, "/logout", session: id) } }
        let response = try await self.send(.post, "/meanwhile", session: id)
        #expect(response.status == .ok)
        #expect(self.text(response) == "alive: false")
        #expect(self.cookies(response) == [], "a clearing cookie could hit the next login")
        #expect(self.service.storage.count == 0)
        #expect(try await self.send(.get, "/me", session: id).status == .unauthorized)
    }

    /// request:  changes ──────────── saves: merged
    /// other:             changes, saves
    @Test func `two requests that change the session at the same time are merged`() async throws {
        let id = try await self.logIn()
        self.service.meanwhile.withLock { $0 = { _ = try await self.send(.post, "/visit/200", session: id) } }
        let response = try await self.send(.post, "/meanwhile", session: id)
        #expect(self.text(response) == "alive: true")
        let session = try await self.service.sessions.load(try #require(SessionID(id)))
        #expect(session?.payload.visits == 2)
    }

    /// request:  changes ──────────── saves under the old id: nothing
    /// browser:           rotates
    @Test func `a request in flight under an id that was rotated away neither revives it nor changes the new session`() async throws {
        let id = try await self.logIn()
        self.service.meanwhile.withLock { $0 = { _ = try await self.send(.post, "/rotate", session: id) } }
        let response = try await self.send(.post, "/meanwhile", session: id)
        #expect(self.text(response) == "alive: false")
        #expect(self.service.storage.count == 1)
        #expect(try await self.send(.get, "/me", session: id).status == .unauthorized)
    }

    // MARK: Streaming

    @Test(arguments: [true, false])
    func `a streamed answer is committed before its body, and refuses changes from within it`(isLive: Bool) async throws {
        let id = try await self.logIn()
        let service = self.service
        let text = try await service.application().test(isLive ? .live : .router) { client in
            try await client.execute(uri: "/stream", method: .get, headers: [.cookie: "__Host-session=\(id)"]) { String(buffer: $0.body) }
        }
        #expect(text == "saved before the body: true; alreadyAnswered")
        let session = try await service.sessions.load(try #require(SessionID(id)))
        #expect(session?.payload.visits == 1)
    }

    // MARK: Installation

    @Test func `a route that is not behind the middleware says so`() async throws {
        let router = Router(context: SessionService.Context.self)
        router.get("me") { _, context in
            do throws(SessionError) {
                return try await context.session.required().user
            } catch {
                return error.code.description
            }
        }
        let response = try await Application(router: router).test(.router) { try await $0.execute(uri: "/me", method: .get) }
        #expect(self.text(response) == "notInstalled")
    }

    @Test func `a middleware installed twice sets one cookie`() async throws {
        let router = Router(context: SessionService.Context.self)
        for _ in 0..<2 { router.add(middleware: SessionMiddleware(self.service.sessions)) }
        router.post("login") { _, context in
            try context.session.begin(Profile(user: "ada"))
            return Response(status: .ok)
        }
        let response = try await Application(router: router).test(.router) { try await $0.execute(uri: "/login", method: .post) }
        #expect(self.cookies(response).count == 1)
    }

    @Test func `cookies that the handler sets stay, and a Vary of its own is kept`() async throws {
        let router = Router(context: SessionService.Context.self)
        router.add(middleware: SessionMiddleware(self.service.sessions))
        router.post("login/:vary") { _, context in
            try context.session.begin(Profile(user: "ada"))
            let vary = try context.parameters.require("vary")
            return Response(status: .ok, headers: [.setCookie: "theme=dark", .vary: vary])
        }
        let cases = [("Accept", ["Accept", "Cookie"]), ("cookie", ["cookie"]), ("*", ["*"]), ("Accept,Cookie", ["Accept,Cookie"])]
        for (vary, expected) in cases {
            let response = try await Application(router: router).test(.router) { client in
                try await client.execute(uri: "/login/\(vary)", method: .post)
            }
            #expect(self.cookies(response).count == 2)
            #expect(self.cookies(response).first == "theme=dark")
            #expect(response.headers[values: .vary] == expected)
        }
    }
}
#endif
