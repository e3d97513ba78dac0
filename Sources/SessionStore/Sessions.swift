public import Logging
public import Metrics

/// Server-side sessions with a payload of one's own.
///
/// ```swift
/// let sessions = Sessions<ProfileSession>(storage: RedisSessionStorage(redis), policy: .init(idle: .seconds(1800)))
/// let session = try await sessions.create(ProfileSession(userID: 7))       // session.id goes into the cookie
/// let later = try await sessions.load(id)                                  // nil: unknown, over or unreadable
/// try await sessions.update(later) { $0.theme = "dark" }                   // merged if somebody else saved
/// try await sessions.end(later.id)                                         // final, also for saves in flight
/// ```
///
/// What is promised:
/// - **Logout wins.** After ``end(_:)`` or ``rotate(_:lifetime:attempts:_:)`` returns, nothing that began earlier revives the old id.
/// - **No lost update.** A save replaces the version that it was made from or reports ``SessionError/Code-swift.struct/conflict``.
/// - **Both limits** of the ``SessionPolicy`` hold on the server, on the storage's clock; use prolongs the idle limit, never the absolute
///   one.
/// - **Strict ids.** An id that this storage does not know is never adopted, whoever sends it.
/// - A stored payload that cannot be decoded is no session; it is deleted.
///
/// One call costs one round trip to the storage; a load that records use (at most once every ``SessionPolicy/touchInterval``) costs two.
/// For HTTP see ``RequestSession``, which loads only when asked and writes only what has changed.
public struct Sessions<Payload: Codable & Sendable>: Sendable {
    public let policy: SessionPolicy

    let storage: any SessionStorage
    let coder: PayloadCoder<Payload>
    let logger: Logger
    let metrics: SessionMetrics

    /// - Parameters:
    ///   - storage: where the sessions are kept.
    ///   - policy: how long they live. Limits that are not longer than zero make every call throw `.configuration`.
    ///   - maximumPayloadSize: bytes that an encoded payload may have; beyond that, writes throw `.payloadTooLarge`. A session is read on
    ///     most requests: keep it small and put the rest into a database.
    ///   - logger: what was dropped in silence for the user's sake is said here, without ids or payloads.
    ///   - metricsFactory: where `sessions.loads`, `.begun`, `.rotated`, `.ended` and `.conflicts` are counted.
    public init(
        storage: some SessionStorage, policy: SessionPolicy = SessionPolicy(), maximumPayloadSize: Int = 65_536,
        logger: Logger = Logger(label: "scalekit.sessions"), metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.storage = storage
        self.policy = policy
        self.coder = PayloadCoder(maximumSize: maximumPayloadSize)
        self.logger = logger
        self.metrics = SessionMetrics(factory: metricsFactory)
    }

    // MARK: Reading

    /// The session of an id, or nil when there is none: unknown, ended, over by the policy, or with a payload that cannot be decoded.
    ///
    /// Counts as use; when only that cannot be recorded, the session is returned all the same. When the storage cannot say whether there is
    /// a session, throws `.storageUnavailable` and never returns nil.
    public func load(_ id: SessionID) async throws(SessionError) -> Session<Payload>? {
        guard let session = try await self.read(id) else { return nil }
        guard session.unused >= self.policy.touchInterval else { return session.session }
        do throws(SessionError) {
            // Between the read and here the session may have ended; then the touch says so.
            return try await self.storage.touch(SessionKey(id), policy: self.policy) ? session.session : nil
        } catch {
            // A full storage reads but does not write. The session is known to be alive; unrecorded use only ends it earlier.
            guard error.code != .cancelled else { throw error }
            self.logger.warning("a session's use could not be recorded: \(error)", metadata: ["session": "\(SessionKey(id))"])
            return session.session
        }
    }

    /// Whether the session is alive under this id now. Does not count as use.
    ///
    /// For the moment before a transaction commits: a request that was let in earlier must not write for a user who has logged out since.
    public func isAlive(_ session: Session<Payload>) async throws(SessionError) -> Bool {
        try await self.read(session.id) != nil
    }

    func read(_ id: SessionID) async throws(SessionError) -> (session: Session<Payload>, unused: Duration)? {
        try self.policy.validate()
        let key = SessionKey(id)
        guard let stored = try await self.storage.load(key) else {
            self.metrics.absent.increment()
            return nil
        }
        if self.policy.isOver(age: stored.age, unused: stored.unused) {
            // The policy was shortened since the last write. Deleting makes it final, should the policy be lengthened again.
            await self.discard(key, because: "it is over by the present policy")
            return nil
        }
        guard let payload = self.coder.decode(stored.payload) else {
            await self.discard(key, because: "its payload cannot be decoded as \(Payload.self)")
            return nil
        }
        let session = Session(id: id, payload: payload, stored: stored.payload, version: stored.version, age: stored.age)
        self.metrics.found.increment()
        return (session, stored.unused)
    }

    /// Removes what is no session any more. The answer is "no session" either way, so a failure is only logged.
    private func discard(_ key: SessionKey, because reason: String) async {
        self.metrics.discarded.increment()
        self.logger.notice("session discarded: \(reason)", metadata: ["session": "\(key)"])
        do {
            try await self.storage.delete(key)
        } catch {
            self.logger.warning("discarded session could not be deleted: \(error)", metadata: ["session": "\(key)"])
        }
    }

    // MARK: Writing

    /// Begins a session under a new id.
    public func create(_ payload: Payload) async throws(SessionError) -> Session<Payload> {
        try self.policy.validate()
        let id = SessionID()
        let bytes = try self.coder.encode(payload)
        let version = try await self.storage.create(SessionKey(id), payload: bytes, policy: self.policy)
        self.metrics.begun.increment()
        return Session(id: id, payload: payload, stored: bytes, version: version, age: .zero)
    }

    /// Writes the session's payload if nobody has saved since it was loaded. An unchanged payload is not written.
    ///
    /// Throws `.conflict` when somebody has (load again, or use ``update(_:attempts:_:)``), `.ended` when the session is over.
    @discardableResult
    public func save(_ session: Session<Payload>) async throws(SessionError) -> Session<Payload> {
        try self.policy.validate()
        let bytes = try self.coder.encode(session.payload)
        guard bytes != session.stored else { return session }
        let outcome = try await self.storage.save(
            SessionKey(session.id), payload: bytes, ifVersion: session.version, policy: self.policy)
        return Session(
            id: session.id, payload: session.payload, stored: bytes, version: try self.version(of: outcome), age: session.age)
    }

    /// Changes the payload and saves; when somebody else has saved in between, `change` is applied again to what they saved.
    ///
    /// Each failed attempt means that another save succeeded. Returns the session as it now is; a change that changes nothing writes
    /// nothing. Throws `.conflict` after `attempts`, `.ended` when the session is over (which no attempt can undo), and whatever `change`
    /// throws.
    ///
    /// - Parameter change: must not have effects of its own, since it may run several times.
    @discardableResult
    public func update(
        _ session: Session<Payload>, attempts: Int = 64, _ change: (inout Payload) throws -> Void
    ) async throws -> Session<Payload> {
        do {
            return try await self.merge(change, into: session, attempts: attempts, write: self.save)
        } catch {
            throw error.reason
        }
    }

    /// Carries the session on under a new id: at every login and change of privilege, so that an id that somebody knew before is worth
    /// nothing after.
    ///
    /// The payload is kept and `change` applied to it, both in the same step in which the old id dies. Throws as ``update(_:attempts:_:)``.
    /// After `.storageUnavailable` the old id may be dead and the new one unknown to all: the user logs in again.
    public func rotate(
        _ session: Session<Payload>, lifetime: SessionLifetime = .kept, attempts: Int = 64,
        _ change: (inout Payload) throws -> Void = { _ in }
    ) async throws -> Session<Payload> {
        do {
            return try await self.merge(change, into: session, attempts: attempts) { changed throws(SessionError) in
                try await self.move(changed, lifetime: lifetime)
            }
        } catch {
            throw error.reason
        }
    }

    /// Ends the session of an id: logout. True when there was one. Final, also for saves, touches and rotations in flight.
    @discardableResult
    public func end(_ id: SessionID) async throws(SessionError) -> Bool {
        let existed = try await self.storage.delete(SessionKey(id))
        if existed { self.metrics.ended.increment() }
        return existed
    }
}
