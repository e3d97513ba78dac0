import ScaleCore
public import ScaleTesting
public import SessionStore

/// A session storage for tests: the real rules on time that the test moves, with a record of every verb and faults on demand.
///
/// ```swift
/// let storage = FakeSessionStorage()
/// let sessions = Sessions<Cart>(storage: storage)
/// await storage.time.advance(by: .seconds(1800))                          // everybody idle is logged out
/// storage.faults.failNext(with: FakeSessionStorage.unavailable)           // the storage is down, once
/// storage.faults.plan(.pause(at: gate)) { $0.verb == .save }              // a save in flight
/// #expect(storage.facts.all.filter(\.isWrite).isEmpty)                    // nothing was written
/// ```
///
/// It keeps the rules of ``SessionStore/SessionStorage`` by the same code as `MemorySessionStorage` and passes
/// ``SessionStorageConformance``. Several `Sessions` on one fake are several instances of a service on one store.
public final class FakeSessionStorage: SessionStorage {
    /// The time on which sessions age.
    public let time: ManualTime

    /// Every verb that was called, in the order in which they took effect or failed.
    public let facts = RecordedFacts<SessionStorageFact>()

    /// What is to go wrong. Errors other than `SessionError` reach the caller as `.storageUnavailable`.
    public let faults = FaultScript<SessionStorageCall>()

    private let table = Locked(SessionTable())

    public init(time: ManualTime = ManualTime()) {
        self.time = time
    }

    /// The error of a storage that does not answer.
    public static let unavailable = SessionError(code: .storageUnavailable, message: "the fake storage is told to be down")

    /// How many sessions are alive.
    public var count: Int {
        let now = self.time.now()
        return self.table.withLock { $0.liveCount(at: now) }
    }

    /// Puts bytes in place of a session's payload, as a damaged store or another version of the program would. False when there is no
    /// session.
    @discardableResult
    public func damage(_ key: SessionKey, payload: [UInt8] = [0xFF]) -> Bool {
        let now = self.time.now()
        return self.table.withLock { $0.overwrite(key, payload: payload, at: now) }
    }

    // MARK: SessionStorage

    public func load(_ key: SessionKey) async throws(SessionError) -> StoredSession? {
        try await self.perform(.init(.load, key), outcome: { $0 == nil ? .nothing : .done }) { table, now in
            table.load(key, at: now)
        }
    }

    public func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy) async throws(SessionError) -> SessionVersion {
        let creation = try await self.perform(.init(.create, key), outcome: SessionStorageFact.Outcome.init) { table, now in
            table.create(key, payload: payload, policy: policy, at: now)
        }
        return try creation.version()
    }

    public func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        try await self.perform(.init(.save, key), outcome: SessionStorageFact.Outcome.init) { table, now in
            table.save(key, payload: payload, ifVersion: version, policy: policy, at: now)
        }
    }

    @discardableResult
    public func delete(_ key: SessionKey) async throws(SessionError) -> Bool {
        try await self.perform(.init(.delete, key), outcome: { $0 ? .done : .nothing }) { table, now in
            table.delete(key, at: now)
        }
    }

    @discardableResult
    public func touch(_ key: SessionKey, policy: SessionPolicy) async throws(SessionError) -> Bool {
        try await self.perform(.init(.touch, key), outcome: { $0 ? .done : .nothing }) { table, now in
            table.touch(key, policy: policy, at: now)
        }
    }

    public func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        try await self.perform(.init(.rotate, old, to: new), outcome: SessionStorageFact.Outcome.init) { table, now in
            table.rotate(old, to: new, payload: payload, ifVersion: version, lifetime: lifetime, policy: policy, at: now)
        }
    }

    /// One verb: its faults, its effect in one step, its record.
    private func perform<Result: Sendable>(
        _ call: SessionStorageCall, outcome: (Result) -> SessionStorageFact.Outcome,
        _ effect: @Sendable (inout SessionTable, Instant) -> Result
    ) async throws(SessionError) -> Result {
        do {
            return try await self.faults.perform(call) {
                let now = self.time.now()
                let result = self.table.withLock { effect(&$0, now) }
                self.facts.record(SessionStorageFact(call: call, outcome: outcome(result)))
                return result
            }
        } catch let error as SessionError {
            self.facts.record(SessionStorageFact(call: call, outcome: .failed))
            throw error
        } catch is CancellationError {
            self.facts.record(SessionStorageFact(call: call, outcome: .failed))
            throw SessionError(code: .cancelled, message: "the task was cancelled at the fake storage")
        } catch {
            self.facts.record(SessionStorageFact(call: call, outcome: .failed))
            throw SessionError(code: .storageUnavailable, message: "the fake storage failed with \(type(of: error))")
        }
    }
}
