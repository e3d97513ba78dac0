import ScaleCore
public import ScaleRedis
public import SessionStore

/// Sessions in Redis, one hash each, shared by all instances of a service.
///
/// ```swift
/// let redis = try RedisClient("redis://127.0.0.1:6379/0")
/// let sessions = Sessions<ProfileSession>(storage: RedisSessionStorage(redis))
/// ```
///
/// **Form.** Under `prefix` followed by the 64 hexadecimal digits of the ``SessionStore/SessionKey``, a hash with the fields `v` (version),
/// `c` and `u` (created and last used, in milliseconds of the server's UTC) and `p` (payload). The server removes it by itself when the
/// shorter of idle and remaining absolute time has passed; ages are measured on the server's clock alone. An entry that is no such hash is
/// removed by the first verb that meets it.
///
/// **Atomicity.** Each verb is one command or one script, one round trip. Nothing is kept in this process, so a logout is seen by all at
/// once.
///
/// **The server** must not evict: with an evicting `maxmemory-policy`, as caches want it, a full memory logs people out; see
/// ``evictionWarning()``. A full server that does not evict refuses what writes with `.storageFull` and changes nothing; loads and logouts
/// work. A failover to a replica that lagged may lose the last writes: a session may go back to an earlier payload or, if its deletion was
/// lost, be alive until it expires. Nothing on the client's side closes that; `min-replicas-to-write` on the server's narrows it.
///
/// **Cluster.** A rotation touches two keys, and two hashes fall into two slots, where no script can reach both. It has to be cut in two
/// there: first test the version and delete the old key, then create the new one. All promises hold but one: a failure in between ends the
/// session instead of leaving it.
public struct RedisSessionStorage: SessionStorage {
    private let redis: RedisClient
    private let prefix: String

    /// - Parameter prefix: what the keys begin with; two services on one database use different ones.
    public init(_ redis: RedisClient, prefix: String = "session:") {
        self.redis = redis
        self.prefix = prefix
    }

    public func load(_ key: SessionKey) async throws(SessionError) -> StoredSession? {
        switch try await self.run(SessionScript.load, [key], []) {
        case .null:
            return nil
        case .array(let fields):
            guard fields.count == 4, let version = fields[0].integer, let age = fields[1].integer, let unused = fields[2].integer,
                let payload = fields[3].bytes
            else { throw self.unexpectedReply }
            // Negative after the server's clock was set back: then as if it had just happened.
            return StoredSession(
                payload: payload, version: SessionVersion(rawValue: version), age: .milliseconds(max(age, 0)),
                unused: .milliseconds(max(unused, 0)))
        case .status, .integer, .bulk, .error:
            throw self.unexpectedReply
        }
    }

    public func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy) async throws(SessionError) -> SessionVersion {
        switch try await self.write(SessionScript.create, [key], [RedisArgument(payload)] + policy.arguments) {
        case .written(let version): return version
        case .conflict, .ended: throw SessionError(code: .conflict, message: "a session with this key exists", place: self.redis.address)
        }
    }

    public func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        try await self.write(SessionScript.save, [key], [RedisArgument(payload)] + policy.arguments + [RedisArgument(version.rawValue)])
    }

    @discardableResult
    public func delete(_ key: SessionKey) async throws(SessionError) -> Bool {
        try await self.run { try await self.redis.send(RedisCommand("DEL", [RedisArgument(self.name(key))])) }.integer ?? 0 > 0
    }

    @discardableResult
    public func touch(_ key: SessionKey, policy: SessionPolicy) async throws(SessionError) -> Bool {
        switch try await self.write(SessionScript.touch, [key], policy.arguments) {
        case .written: true
        case .conflict, .ended: false
        }
    }

    public func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        let restarts: RedisArgument =
            switch lifetime {
            case .kept: 0
            case .restarted: 1
            }
        return try await self.write(
            SessionScript.rotate, [old, new],
            [RedisArgument(payload)] + policy.arguments + [RedisArgument(version.rawValue), restarts])
    }

    /// A sentence for the log when the server may evict sessions, or nil when it does not or will not say. For the start of a service.
    public func evictionWarning() async throws(SessionError) -> String? {
        let memory = try await self.run { try await self.redis.send(RedisCommand("INFO", ["memory"])) }.string ?? ""
        let field = "maxmemory_policy:"
        guard let line = memory.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix(field) }) else { return nil }
        let policy = line.dropFirst(field.count)
        guard policy != "noeviction" else { return nil }
        return "the Redis server at \(self.redis.address) has maxmemory-policy \(policy): when its memory is full it logs people out; "
            + "sessions need noeviction, and a server apart from caches"
    }

    // MARK: Calling the server

    private func name(_ key: SessionKey) -> String { self.prefix + key.hexadecimal }

    private func run(_ script: RedisScript, _ keys: [SessionKey], _ arguments: [RedisArgument]) async throws(SessionError) -> RedisValue {
        try await self.run { try await self.redis.evaluate(script, keys: keys.map(self.name), arguments: arguments) }
    }

    /// A script that answers with a version, 0 for "no session" or -1 for "another version".
    private func write(
        _ script: RedisScript, _ keys: [SessionKey], _ arguments: [RedisArgument]
    ) async throws(SessionError) -> SessionWrite {
        guard case .integer(let answer) = try await self.run(script, keys, arguments) else { throw self.unexpectedReply }
        switch answer {
        case 0: return .ended
        case -1: return .conflict
        default: return .written(SessionVersion(rawValue: answer))
        }
    }

    private func run(_ call: () async throws -> RedisValue) async throws(SessionError) -> RedisValue {
        do {
            return try await call()
        } catch let error as RedisError {
            let code: SessionError.Code = error.serverError?.kind == "OOM" ? .storageFull : .storageUnavailable
            throw SessionError(code: code, message: "Redis: \(error.code): \(error.message)", place: error.address ?? self.redis.address)
        } catch is CancellationError {
            throw SessionError(code: .cancelled, message: "the task was cancelled while Redis was asked", place: self.redis.address)
        } catch {
            throw SessionError(code: .storageUnavailable, message: "Redis: \(type(of: error))", place: self.redis.address)
        }
    }

    private var unexpectedReply: SessionError {
        SessionError(code: .storageUnavailable, message: "Redis gave a reply that makes no sense", place: self.redis.address)
    }
}

extension SessionPolicy {
    /// Both limits in milliseconds, rounded up, as all writing scripts take them.
    fileprivate var arguments: [RedisArgument] {
        [RedisArgument(self.idle.wholeMillisecondsRoundedUp), RedisArgument(self.absolute.wholeMillisecondsRoundedUp)]
    }
}
