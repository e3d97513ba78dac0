#if Hummingbird
public import Hummingbird
public import SessionStore

/// A request context with a session, for ``SessionMiddleware``.
///
/// ```swift
/// struct AppContext: SessionRequestContext {
///     var coreContext: CoreRequestContextStorage
///     var session = RequestSession<ProfileSession>()
///
///     init(source: Source) { self.coreContext = .init(source: source) }
/// }
/// ```
public protocol SessionRequestContext<SessionPayload>: RequestContext {
    associatedtype SessionPayload: Codable & Sendable

    /// The session of this request. The middleware puts it here; until then every call on it throws `.notInstalled`.
    var session: RequestSession<SessionPayload> { get set }
}

/// A request context with a session and nothing else of its own.
public struct BasicSessionContext<SessionPayload: Codable & Sendable>: SessionRequestContext {
    public var coreContext: CoreRequestContextStorage
    public var session = RequestSession<SessionPayload>()

    public init(source: Source) {
        self.coreContext = CoreRequestContextStorage(source: source)
    }
}
#endif
