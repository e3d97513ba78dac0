/// What one request has read of its session and wants done with it, as a value: the rules of ``RequestSession`` without the storage.
///
/// Reads and changes are noted here; ``commit()`` says, once, what is to be written. A change is kept as a closure beside its result, so
/// that it can be applied again to what somebody else saved meanwhile. The draft runs none of them itself.
struct SessionDraft<Payload: Codable & Sendable>: Sendable {
    typealias Change = @Sendable (inout Payload) -> Void

    enum State: Sendable {
        /// Nobody has asked for the session yet.
        case unread(SessionID?)
        /// There is none.
        case absent
        /// There is one. `latest` is what the request sees: `loaded` with the changes applied.
        case present(loaded: Session<Payload>, latest: Payload, changes: [Change], rotation: SessionLifetime?)
        /// This request begins one, in place of the one that the browser had.
        case begun(Payload, replacing: SessionID?)
        /// This request ended it.
        case ended
    }

    private(set) var state: State {
        didSet { self.revision &+= 1 }
    }
    /// Counts what was read and decided, so that a change can tell whether it was made from what still holds.
    private(set) var revision: UInt64 = 0
    /// Whether the head of the answer is decided.
    private(set) var isAnswered = false

    init(presented id: SessionID?) {
        self.state = .unread(id)
    }

    // MARK: Reading

    enum Need: Sendable {
        case nothing
        /// Load this id, then call ``loaded(_:)``.
        case load(SessionID)
    }

    /// What must be known before the session can be read.
    mutating func need() -> Need {
        switch self.state {
        case .unread(let id?):
            return .load(id)
        case .unread(nil):
            self.state = .absent
            return .nothing
        case .absent, .present, .begun, .ended:
            return .nothing
        }
    }

    /// Takes in what the storage answered. Whatever the request has decided in the meantime stands.
    mutating func loaded(_ session: Session<Payload>?) {
        switch self.state {
        case .unread:
            self.state = session.map { .present(loaded: $0, latest: $0.payload, changes: [], rotation: nil) } ?? .absent
        case .absent, .present, .begun, .ended:
            break
        }
    }

    /// The payload as this request sees it.
    var payload: Payload? {
        switch self.state {
        case .unread, .absent, .ended: nil
        case .present(_, let latest, _, _): latest
        case .begun(let payload, _): payload
        }
    }

    enum Liveness: Sendable {
        case alive, over
        /// The storage has to say it.
        case ask(Session<Payload>)
    }

    var liveness: Liveness {
        switch self.state {
        case .unread, .absent, .ended: .over
        case .present(let loaded, _, _, _): .ask(loaded)
        case .begun: .alive
        }
    }

    // MARK: Deciding

    /// What a change is made from. The change is the caller's code, so it runs outside of the draft.
    struct Base: Sendable {
        var payload: Payload
        let revision: UInt64
    }

    /// The payload to change; a session must be there.
    func base() throws(SessionError) -> Base {
        try self.checkOpen()
        guard let payload = self.payload else { throw .noSession }
        return Base(payload: payload, revision: self.revision)
    }

    /// Takes in what `change` has made of a base, and whether the session is to be carried on under a new id. False, and nothing is taken
    /// in, when something else was decided since the base was taken.
    mutating func take(_ changed: Base, by change: @escaping Change, rotating lifetime: SessionLifetime?) throws(SessionError) -> Bool {
        try self.checkOpen()
        guard changed.revision == self.revision else { return false }
        switch self.state {
        case .present(let loaded, _, let changes, let earlier):
            self.state = .present(
                loaded: loaded, latest: changed.payload, changes: changes + [change], rotation: Self.joined(earlier, lifetime))
        case .begun(_, let replaced):
            self.state = .begun(changed.payload, replacing: replaced)  // Its id is new anyway.
        case .unread, .absent, .ended:
            throw .noSession
        }
        return true
    }

    /// What two wishes for a new id come to. A life that is to begin anew does so whatever the other says.
    private static func joined(_ one: SessionLifetime?, _ other: SessionLifetime?) -> SessionLifetime? {
        one == .restarted || other == .restarted ? .restarted : one ?? other
    }

    /// Begins a session in place of whatever there was.
    mutating func begin(_ payload: Payload) throws(SessionError) {
        try self.checkOpen()
        self.state = .begun(payload, replacing: self.heldID)
    }

    /// The id that a logout has to end.
    var heldID: SessionID? {
        switch self.state {
        case .unread(let id): id
        case .absent, .ended: nil
        case .present(let loaded, _, _, _): loaded.id
        case .begun(_, let replaced): replaced
        }
    }

    /// Notes that the session has been ended.
    mutating func end() throws(SessionError) {
        try self.checkOpen()
        self.state = .ended
    }

    func checkOpen() throws(SessionError) {
        guard !self.isAnswered else {
            throw SessionError(code: .alreadyAnswered, message: "the session was changed after the answer's head was decided")
        }
    }

    // MARK: Answering

    enum Commit: Sendable {
        /// Neither storage nor cookie is concerned.
        case nothing
        case create(Payload, replacing: SessionID?)
        case save(Session<Payload>, [Change])
        case rotate(Session<Payload>, [Change], SessionLifetime)
        /// Only the browser has to forget.
        case clear
    }

    /// Closes the draft and says what is to be done. A second call has nothing to do.
    mutating func commit() -> Commit {
        guard !self.isAnswered else { return .nothing }
        self.isAnswered = true
        switch self.state {
        case .unread, .absent:
            return .nothing
        case .present(let loaded, _, let changes, let rotation?):
            return .rotate(loaded, changes, rotation)
        case .present(let loaded, _, let changes, nil):
            return changes.isEmpty ? .nothing : .save(loaded, changes)
        case .begun(let payload, let replaced):
            return .create(payload, replacing: replaced)
        case .ended:
            return .clear
        }
    }

    /// Takes in what the commit wrote.
    mutating func committed(_ session: Session<Payload>?) {
        self.state = session.map { .present(loaded: $0, latest: $0.payload, changes: [], rotation: nil) } ?? .absent
    }

    /// Closes the draft; what was noted is dropped.
    mutating func abandon() {
        self.isAnswered = true
    }
}
