public import ScaleCore

/// Sessions in the memory of this process: for one instance, for development, and for tests.
///
/// They end with the process and are not seen by another one. Ages are measured on the monotonic clock, so setting the machine's clock
/// neither ends sessions nor prolongs them. Verbs cost O(log n) under one lock; sessions that are over are removed by the verbs that
/// follow.
public final class MemorySessionStorage: SessionStorage {
    private let table: Locked<SessionTable>
    private let time: TimeSource

    /// - Parameters:
    ///   - maximumCount: sessions beyond this number are refused with ``SessionError/Code-swift.struct/storageFull``: the bound on
    ///     what a flood of logins can make the process hold. No living session is ever dropped to make room.
    ///   - time: where the ages come from.
    public init(maximumCount: Int = 1_000_000, time: TimeSource = .system) {
        self.table = Locked(SessionTable(maximumCount: maximumCount))
        self.time = time
    }

    /// How many sessions are held, some of them possibly over and about to be removed.
    public var count: Int {
        self.table.withLock { $0.count }
    }

    public func load(_ key: SessionKey) async throws(SessionError) -> StoredSession? {
        let now = self.time.now()
        return self.table.withLock { $0.load(key, at: now) }
    }

    public func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy) async throws(SessionError) -> SessionVersion {
        let now = self.time.now()
        return try self.table.withLock { $0.create(key, payload: payload, policy: policy, at: now) }.version()
    }

    public func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        let now = self.time.now()
        return self.table.withLock { $0.save(key, payload: payload, ifVersion: version, policy: policy, at: now) }
    }

    @discardableResult
    public func delete(_ key: SessionKey) async throws(SessionError) -> Bool {
        let now = self.time.now()
        return self.table.withLock { $0.delete(key, at: now) }
    }

    @discardableResult
    public func touch(_ key: SessionKey, policy: SessionPolicy) async throws(SessionError) -> Bool {
        let now = self.time.now()
        return self.table.withLock { $0.touch(key, policy: policy, at: now) }
    }

    public func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        let now = self.time.now()
        return self.table.withLock {
            $0.rotate(old, to: new, payload: payload, ifVersion: version, lifetime: lifetime, policy: policy, at: now)
        }
    }
}

extension SessionTable.Creation {
    /// The version of what was created, or the error of ``SessionStorage/create(_:payload:policy:)``.
    package func version() throws(SessionError) -> SessionVersion {
        switch self {
        case .created(let version): return version
        case .exists: throw SessionError(code: .conflict, message: "a session with this key exists")
        case .full: throw SessionError(code: .storageFull, message: "the storage holds as many sessions as it may")
        }
    }
}
