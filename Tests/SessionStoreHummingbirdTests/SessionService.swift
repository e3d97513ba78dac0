#if Hummingbird
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import ScaleCore
import ScaleTesting
import SessionStore
import SessionStoreHummingbird
import SessionStoreTesting

struct Profile: Codable, Hashable, Sendable {
    var user: String
    var visits = 0
}

/// A little service with a session, on a fake storage.
final class SessionService: Sendable {
    typealias Context = BasicSessionContext<Profile>

    let storage = FakeSessionStorage()
    let sessions: Sessions<Profile>
    let cookie: SessionCookie
    /// What happens elsewhere while `POST /meanwhile` is handled.
    let meanwhile = Locked<(@Sendable () async throws -> Void)?>(nil)

    init(cookie: SessionCookie = SessionCookie()) {
        self.sessions = Sessions(storage: self.storage)
        self.cookie = cookie
    }

    func application() -> some ApplicationProtocol {
        let router = Router(context: Context.self)
        router.add(middleware: SessionMiddleware(self.sessions, cookie: self.cookie))
        self.addRoutes(to: router)
        return Application(router: router)
    }

    private func addRoutes(to router: Router<Context>) {
        router.get("plain") { _, _ in "no session needed" }
        router.get("me") { _, context in try await context.session.required().user }
        router.get("greeting") { _, context in "hello \(try await context.session.payload()?.user ?? "stranger")" }
        router.post("login") { _, context in
            try context.session.begin(Profile(user: "ada"))
            return Response(status: .ok, headers: [.cacheControl: "public, max-age=300"])
        }
        router.post("rotate") { _, context in
            try await context.session.rotate { $0.user = "root" }
            return Response(status: .noContent)
        }
        router.post("logout") { _, context in
            try await context.session.end()
            return Response(status: .noContent)
        }
        router.post("visit/:status") { _, context in
            try await context.session.update { $0.visits += 1 }
            return Response(status: .init(code: try context.parameters.require("status", as: Int.self)))
        }
        router.post("login-then/:status") { _, context -> Response in
            try context.session.begin(Profile(user: "ada"))
            throw HTTPError(.init(code: try context.parameters.require("status", as: Int.self)), headers: [.cacheControl: "public"])
        }
        router.post("visit-then-fail") { _, context -> Response in
            struct Unknown: Error {}
            try await context.session.update { $0.visits += 1 }
            throw Unknown()
        }
        router.post("meanwhile") { _, context in
            try await context.session.update { $0.visits += 1 }
            try await self.meanwhile.withLock { $0 }?()
            return "alive: \(try await context.session.isAlive())"
        }
        router.get("stream") { _, context in
            try await context.session.update { $0.visits += 1 }
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    var text = "saved before the body: \(self.storage.facts.all.last?.verb == .save)"
                    do throws(SessionError) {
                        try await context.session.update { $0.visits += 1 }
                    } catch {
                        text += "; \(error.code)"
                    }
                    try await writer.write(ByteBuffer(string: text))
                    try await writer.finish(nil)
                })
        }
    }
}
#endif
