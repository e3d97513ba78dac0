import Logging
import ScaleCore

/// The session of one HTTP request: loaded when first asked for, written once when the answer is decided, and only if it changed.
///
/// A web framework's middleware makes one per request and calls ``commit()`` between the handler and the head of the answer; the handler
/// calls the rest:
///
/// ```swift
/// guard let profile = try await context.session.payload() else { throw HTTPError(.unauthorized) }
/// try await context.session.update { $0.lastSeen = id }            // merged if another request saved meanwhile
/// try context.session.begin(ProfileSession(userID: 7))             // login: always a new id, the old one dies
/// try await context.session.end()                                  // logout, at once and for all instances
/// ```
///
/// A request that never asks causes no storage access and no `Set-Cookie`. Changes after the commit, as from inside a streamed body, throw
/// `.alreadyAnswered`; reads still work. Calls may come from several tasks of the request.
public final class RequestSession<Payload: Codable & Sendable>: Sendable {
    private let sessions: Sessions<Payload>?
    private let draft: Locked<SessionDraft<Payload>>

    /// The session of a request that has not met a middleware: every call throws `.notInstalled`.
    public init() {
        self.sessions = nil
        self.draft = Locked(SessionDraft(presented: nil))
    }

    /// The session of a request with this cookie. Asks nothing of the storage.
    public init(_ sessions: Sessions<Payload>, presented: SessionCookie.Presented) {
        self.sessions = sessions
        let id: SessionID? =
            switch presented {
            case .nothing, .ambiguous: nil
            case .id(let id): id
            }
        self.draft = Locked(SessionDraft(presented: id))
    }

    // MARK: Reading

    /// The session's payload with this request's changes, or nil when there is no session.
    ///
    /// Throws `.storageUnavailable` when the storage cannot say: then the request cannot be answered as if nobody were logged in.
    public func payload() async throws(SessionError) -> Payload? {
        try await self.loadIfNeeded()
        return self.draft.withLock { $0.payload }
    }

    /// The session's payload; throws `.noSession` when there is none.
    public func required() async throws(SessionError) -> Payload {
        guard let payload = try await self.payload() else { throw .noSession }
        return payload
    }

    /// Whether the session is alive at this moment, asked of the storage anew.
    ///
    /// For the last step before a transaction, so that a request in flight does not write for a user who has logged out meanwhile.
    public func isAlive() async throws(SessionError) -> Bool {
        let sessions = try await self.loadIfNeeded()
        switch self.draft.withLock({ $0.liveness }) {
        case .alive: return true
        case .over: return false
        case .ask(let session): return try await sessions.isAlive(session)
        }
    }

    @discardableResult
    private func loadIfNeeded() async throws(SessionError) -> Sessions<Payload> {
        let sessions = try self.installed()
        switch self.draft.withLock({ $0.need() }) {
        case .nothing: break
        case .load(let id):
            let session = try await sessions.load(id)
            self.draft.withLock { $0.loaded(session) }
        }
        return sessions
    }

    private func installed() throws(SessionError) -> Sessions<Payload> {
        guard let sessions = self.sessions else {
            throw SessionError(code: .notInstalled, message: "this route is not behind the session middleware")
        }
        return sessions
    }

    // MARK: Deciding

    /// Changes the payload; written when the answer is decided, if it then differs. Throws `.noSession` when there is none, and
    /// `.conflict` when something else changes the session during every attempt.
    ///
    /// - Parameter change: is applied at once, and again when another task of the request, or at the commit another request, was faster:
    ///   no effects of its own. It may read the session.
    public func update(_ change: @escaping @Sendable (inout Payload) -> Void) async throws(SessionError) {
        try await self.loadIfNeeded()
        try self.apply(change, rotating: nil)
    }

    /// Carries the session on under a new id, with its payload, changed by `change` as ``update(_:)`` does: at a change of privilege. Throws
    /// `.noSession` when there is none.
    ///
    /// Done when the answer is decided, in one step with the death of the old id; if the session was ended by then, the commit throws
    /// `.ended`.
    public func rotate(
        lifetime: SessionLifetime = .kept, _ change: @escaping @Sendable (inout Payload) -> Void = { _ in }
    ) async throws(SessionError) {
        try await self.loadIfNeeded()
        try self.apply(change, rotating: lifetime)
    }

    /// Runs the caller's code on a copy, since it may ask the session something itself, and takes the result in if nobody was faster.
    ///
    /// Every repetition means that somebody else got on. A change that changes the session itself would repeat for ever: hence the limit.
    private func apply(
        _ change: @escaping @Sendable (inout Payload) -> Void, rotating lifetime: SessionLifetime?
    ) throws(SessionError) {
        for _ in 0..<1024 {
            var base = try self.draft.withLock { draft throws(SessionError) in try draft.base() }
            change(&base.payload)
            let changed = base
            let isTaken = try self.draft.withLock { draft throws(SessionError) in
                try draft.take(changed, by: change, rotating: lifetime)
            }
            if isTaken { return }
        }
        throw SessionError(code: .conflict, message: "the request's other tasks, or the change itself, kept changing the session")
    }

    /// Begins a session, always under a new id: login. The session that the browser had is ended. Stored when the answer is decided.
    public func begin(_ payload: Payload) throws(SessionError) {
        _ = try self.installed()
        try self.draft.withLock { draft throws(SessionError) in try draft.begin(payload) }
    }

    /// Ends the session: logout. Takes effect in the storage at once, and the answer clears the cookie. Without a session it is no error.
    ///
    /// Throws `.storageUnavailable` when the storage could not be told: then the session lives on, and the user must hear it.
    public func end() async throws(SessionError) {
        let sessions = try self.installed()
        let id = try self.draft.withLock { draft throws(SessionError) in
            try draft.checkOpen()
            return draft.heldID
        }
        if let id { try await sessions.end(id) }
        try self.draft.withLock { draft throws(SessionError) in try draft.end() }
    }

    // MARK: Answering

    /// What the answer's head has to say.
    public enum CookieChange: Hashable, Sendable {
        case none
        /// Hand out this id, of a session that can live this long at most.
        case set(SessionID, remaining: Duration)
        case clear
    }

    /// Whether this request has asked for the session: then the answer may depend on the cookie.
    public var isAccessed: Bool {
        self.draft.withLock { draft in
            switch draft.state {
            case .unread: false
            case .absent, .present, .begun, .ended: true
            }
        }
    }

    /// Writes what the request decided, for the middleware, once, before the head of the answer.
    ///
    /// A save whose session was ended meanwhile is dropped: logout wins, and the answer stands. A rotation whose session was ended throws
    /// `.ended`, since its answer promises a login.
    public func commit() async throws(SessionError) -> CookieChange {
        guard let sessions = self.sessions else { return .none }
        switch self.draft.withLock({ $0.commit() }) {
        case .nothing:
            return .none
        case .clear:
            return .clear
        case .create(let payload, let replaced):
            // First the old one: should this request die in between, the user is logged out, not left with an id that somebody may know.
            if let replaced { try await sessions.end(replaced) }
            return self.handOut(try await sessions.create(payload), policy: sessions.policy)
        case .save(let session, let changes):
            try await self.save(session, changes, in: sessions)
            return .none
        case .rotate(let session, let changes, let lifetime):
            return self.handOut(try await sessions.rotate(session, lifetime: lifetime, applying: changes), policy: sessions.policy)
        }
    }

    /// Drops what the request decided, except a logout: for answers that are failures of the server (5xx).
    public func abandon() {
        self.draft.withLock { $0.abandon() }
    }

    private func handOut(_ session: Session<Payload>, policy: SessionPolicy) -> CookieChange {
        self.draft.withLock { $0.committed(session) }
        return .set(session.id, remaining: policy.absolute - session.age)
    }

    private func save(
        _ session: Session<Payload>, _ changes: [SessionDraft<Payload>.Change], in sessions: Sessions<Payload>
    ) async throws(SessionError) {
        do throws(SessionError) {
            let saved = try await sessions.update(session, applying: changes)
            self.draft.withLock { $0.committed(saved) }
        } catch {
            guard error.code == .ended else { throw error }
            self.draft.withLock { $0.committed(nil) }
            sessions.logger.debug("a session ended while a request was changing it: the change is dropped")
        }
    }
}

extension RequestSession: CustomStringConvertible, CustomReflectable {
    public var description: String { "RequestSession<\(Payload.self)>" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
