import Metrics

extension Sessions {
    /// Several changes as one update, for a request's commit.
    func update(
        _ session: Session<Payload>, applying changes: [SessionDraft<Payload>.Change]
    ) async throws(SessionError) -> Session<Payload> {
        do {
            return try await self.merge({ for change in changes { change(&$0) } }, into: session, attempts: 64, write: self.save)
        } catch {
            throw error.sessionError
        }
    }

    /// Several changes as one rotation, for a request's commit.
    func rotate(
        _ session: Session<Payload>, lifetime: SessionLifetime, applying changes: [SessionDraft<Payload>.Change]
    ) async throws(SessionError) -> Session<Payload> {
        do {
            return try await self.merge({ for change in changes { change(&$0) } }, into: session, attempts: 64) {
                changed throws(SessionError) in
                try await self.move(changed, lifetime: lifetime)
            }
        } catch {
            throw error.sessionError
        }
    }

    /// One attempt at a rotation.
    func move(_ session: Session<Payload>, lifetime: SessionLifetime) async throws(SessionError) -> Session<Payload> {
        try self.policy.validate()
        let id = SessionID()
        let bytes = try self.coder.encode(session.payload)
        let outcome = try await self.storage.rotate(
            SessionKey(session.id), to: SessionKey(id), payload: bytes, ifVersion: session.version, lifetime: lifetime, policy: self.policy)
        let age: Duration =
            switch lifetime {
            case .kept: session.age
            case .restarted: .zero
            }
        let version = try self.version(of: outcome)
        self.metrics.rotated.increment()
        return Session(id: id, payload: session.payload, stored: bytes, version: version, age: age)
    }

    /// The version that a write gave, or why it gave none.
    func version(of write: SessionWrite) throws(SessionError) -> SessionVersion {
        switch write {
        case .written(let version):
            return version
        case .conflict:
            self.metrics.conflicts.increment()
            throw .conflict
        case .ended:
            throw .ended
        }
    }

    /// Changes and writes until nobody saved in between.
    func merge<Failure: Error>(
        _ change: (inout Payload) throws(Failure) -> Void, into session: Session<Payload>, attempts: Int,
        write: (Session<Payload>) async throws(SessionError) -> Session<Payload>
    ) async throws(MergeFailure<Failure>) -> Session<Payload> {
        var changed = session
        var attemptsLeft = max(attempts, 1)
        while true {
            do throws(Failure) { try change(&changed.payload) } catch { throw .change(error) }
            do throws(SessionError) {
                return try await write(changed)
            } catch {
                attemptsLeft -= 1
                guard error.code == .conflict, attemptsLeft > 0 else { throw .session(error) }
            }
            do throws(SessionError) {
                guard let latest = try await self.read(session.id) else { throw SessionError.ended }
                changed = latest.session
            } catch {
                throw .session(error)
            }
        }
    }
}

/// Why a merge stopped: the session, or the caller's own change.
enum MergeFailure<Change: Error>: Error {
    case session(SessionError)
    case change(Change)

    var reason: any Error {
        switch self {
        case .session(let error): error
        case .change(let error): error
        }
    }
}

extension MergeFailure where Change == Never {
    var sessionError: SessionError {
        switch self {
        case .session(let error): error
        }
    }
}
