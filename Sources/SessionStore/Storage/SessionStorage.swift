/// Where sessions are kept: six verbs on bytes.
///
/// A storage knows neither ids nor payloads: it gets the hash of an id and bytes. It has **one clock of its own** on which it
/// measures ages and removes what is over, so that the clocks of the machines in front of it do not matter: an in-process storage
/// uses its process' monotonic time, Redis its own time. It keeps no copy of a session anywhere that another node's logout does not reach
/// at once.
///
/// **Atomicity.** Each verb is one step: no other verb on the same session happens between its test and its write, on whatever
/// machine that verb was called. **Logout wins**: once ``delete(_:)`` or a ``rotate(_:to:payload:ifVersion:lifetime:policy:)`` has
/// returned, no verb under that key brings the session back; only ``create(_:payload:policy:)`` makes sessions, and its keys are new.
///
/// **Expiry.** A session that is over by the policy that its last write carried does not exist for any verb, at the latest
/// from that moment on the storage's clock.
///
/// **Errors** are ``SessionError/Code-swift.struct/storageUnavailable`` (also for an answer that makes no sense),
/// ``SessionError/Code-swift.struct/storageFull``, ``SessionError/Code-swift.struct/payloadTooLarge`` and, when the calling task was
/// cancelled, ``SessionError/Code-swift.struct/cancelled``. After `storageUnavailable` and `cancelled` the verb has happened as a whole or
/// not at all. A stored entry that cannot be read is no session: the storage removes it and says so, it does not throw.
///
/// Test a storage of your own with `SessionStorageConformance` from SessionStoreTesting.
public protocol SessionStorage: Sendable {
    /// Reads a session; nil when there is none. Does not count as use.
    ///
    /// Must not be stale: what another node's write has acknowledged before the call begins is seen. (No read from a replica.)
    func load(_ key: SessionKey) async throws(SessionError) -> StoredSession?

    /// Files a new session and returns its first version.
    ///
    /// Must not overwrite: when the key exists (which for 256 random bits means a broken generator), throws `.conflict`.
    func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy) async throws(SessionError) -> SessionVersion

    /// Replaces the payload if the session exists and still has `version`; counts as use.
    ///
    /// Atomic: test, write and renewal. The new version differs from every earlier one of this session.
    func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite

    /// Ends a session. True when there was one. Final: see *Logout wins* above.
    @discardableResult
    func delete(_ key: SessionKey) async throws(SessionError) -> Bool

    /// Records use: the idle time starts anew, the age does not. False when there is no session.
    ///
    /// Leaves payload and version alone, so that a touch never makes a save fail. Must not revive.
    @discardableResult
    func touch(_ key: SessionKey, policy: SessionPolicy) async throws(SessionError) -> Bool

    /// Moves a session to a new key with a new payload, if it exists and still has `version`.
    ///
    /// Atomic as seen by all: at no time are both keys alive, and afterwards nothing is left under the old one, no alias and no marker.
    /// When it cannot write the new one, the old one stays as it was. Counts as use.
    func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite
}

/// What a storage has about a session.
public struct StoredSession: Hashable, Sendable {
    public var payload: [UInt8]
    public var version: SessionVersion
    /// How long ago the session began, on the storage's clock.
    public var age: Duration
    /// How long ago it was last used, on the storage's clock.
    public var unused: Duration

    public init(payload: [UInt8], version: SessionVersion, age: Duration, unused: Duration) {
        self.payload = payload
        self.version = version
        self.age = age
        self.unused = unused
    }
}

extension StoredSession: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "StoredSession(\(self.payload.count) bytes, version \(self.version.rawValue))" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror {
        Mirror(self, children: ["version": self.version.rawValue, "age": self.age, "unused": self.unused])
    }
}

/// Which save of a session one has seen. Compared for equality only.
public struct SessionVersion: Hashable, Sendable {
    public var rawValue: Int64

    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }
}

/// How a conditional write ended.
public enum SessionWrite: Hashable, Sendable {
    /// Written; the session now has this version.
    case written(SessionVersion)
    /// The session exists with another version: somebody saved in between. Nothing was written.
    case conflict
    /// There is no such session (any more). Nothing was written.
    case ended
}

/// Whether a rotation goes on with the session's age.
public enum SessionLifetime: Hashable, Sendable {
    /// The age goes on: the absolute limit still counts from the first login. For changes of privilege.
    case kept
    /// The age starts at zero. For a fresh proof of who the user is: a login.
    case restarted
}
