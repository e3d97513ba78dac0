#if Hummingbird
import HTTPTypes
public import Hummingbird
public import SessionStore

/// Gives each request its session, and commits what the handler decided before the head of the answer is written.
///
/// ```swift
/// router.add(middleware: SessionMiddleware(sessions))
/// router.get("me") { _, context in "user \(try await context.session.required().userID)" }
/// ```
///
/// - **Lazy.** The storage is asked when a handler asks, not before; a request that never does causes no access, no write, no `Set-Cookie`.
/// - **One write, only of what changed**, between the handler and the head of the answer, hence also before a streamed body begins. The
///   `Set-Cookie` comes once, at login, rotation and logout; reads never set it.
/// - **Failures of the server write nothing.** An answer or thrown error with status 5xx, or an error that Hummingbird knows no status for,
///   drops the handler's changes and sets no cookie. (A logout has taken effect by then.) Below 500, thrown errors commit like answers.
/// - An answer that sets the cookie has `Cache-Control: no-store`, whatever the handler said; one whose handler asked for the session
///   varies by `Cookie`.
/// - With the storage down, requests that need it throw ``SessionStore/SessionError``, which Hummingbird answers with 503; all others are
///   served.
///
/// Put it outside of what uses sessions and inside of what turns errors into pages.
public struct SessionMiddleware<Context: SessionRequestContext>: RouterMiddleware {
    private let sessions: Sessions<Context.SessionPayload>
    private let cookie: SessionCookie

    /// - Parameter insecureCookies: for development over plain HTTP on loopback: drops the cookie's `__Host-` prefix and `Secure`, nothing
    ///   else.
    public init(_ sessions: Sessions<Context.SessionPayload>, insecureCookies: Bool = false) {
        self.init(sessions, cookie: SessionCookie(insecureCookies: insecureCookies))
    }

    /// - Parameter cookie: a cookie with a name or attributes of one's own.
    public init(_ sessions: Sessions<Context.SessionPayload>, cookie: SessionCookie) {
        self.sessions = sessions
        self.cookie = cookie
    }

    public func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let session = RequestSession(self.sessions, presented: self.cookie.presented(in: request.headers[values: .cookie]))
        var context = context
        context.session = session
        do {
            var response = try await next(request, context)
            try await self.answer(session, response.status)?.apply(to: &response.headers)
            return response
        } catch let error as any HTTPResponseError {
            guard let headers = try await self.answer(session, error.status) else { throw error }
            throw SessionResponseError(original: error, headers: headers)
        } catch {
            session.abandon()
            throw error
        }
    }

    /// Commits, and says what the answer's head must say; nil when it stays as it is.
    private func answer(
        _ session: RequestSession<Context.SessionPayload>, _ status: HTTPResponse.Status
    ) async throws(SessionError) -> SessionResponseHeaders? {
        guard status.code < 500 else {
            session.abandon()
            return nil
        }
        switch try await session.commit() {
        case .none: return session.isAccessed ? SessionResponseHeaders(setCookie: nil) : nil
        case .set(let id, let remaining): return SessionResponseHeaders(setCookie: self.cookie.setting(id, remaining: remaining))
        case .clear: return SessionResponseHeaders(setCookie: self.cookie.clearing)
        }
    }
}
#endif
