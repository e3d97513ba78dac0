public import CacheKit
public import ScaleCore
public import ScaleRedis

/// A cache's store on a Redis server that many machines share.
///
/// ```swift
/// let redis = try RedisClient("redis://127.0.0.1:6379/1")
/// let cache = Cache(store: RedisCacheStore(redis), namespace: "profiles")
/// ```
///
/// Each verb is one command or one script. Names are spelled `namespace:kind:name`, so that a namespace can be found with `SCAN`. Counters are
/// bare decimals, as `INCRBY` wants them. Needs Redis 5 or later.
public struct RedisCacheStore: CacheStore {
    /// Redis' own limit of a string: 512 MiB.
    public static let redisValueLimit = 536_870_912

    public let capabilities: CacheStoreCapabilities
    private let redis: RedisClient
    private let time: TimeSource
    private let random: RandomSource

    /// A lease that claims to last longer than this is none: its deadline is by another server's clock.
    private static let longestLease: Int64 = 600_000

    /// - Parameters:
    ///   - maximumValueSize: the largest record in bytes that is sent; at most, and by default, what Redis takes.
    ///   - time: UTC for the freshness that is written into records.
    public init(
        _ redis: RedisClient, maximumValueSize: Int = RedisCacheStore.redisValueLimit, time: TimeSource = .system,
        random: RandomSource = .system
    ) {
        self.redis = redis
        self.time = time
        self.random = random
        self.capabilities = CacheStoreCapabilities(
            maximumValueSize: min(max(maximumValueSize, 0), Self.redisValueLimit), maximumKeyLength: 1024, counters: true)
    }

    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        let names = keys.map { self.name($0) } + tags.map { self.name($0) }
        guard !names.isEmpty else { return StoreReading(entries: [], epochs: []) }
        let replies = try await self.values(names)
        return StoreReading(
            entries: replies.prefix(keys.count).map { reply in reply.bytes.map { StoredEntry(bytes: $0) } ?? .absent },
            epochs: replies.dropFirst(keys.count).map(Self.epoch))
    }

    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        let reply = try await self.run(
            RedisCacheScripts.begin, [self.name(key)],
            [
                RedisArgument(seen.bytes), RedisArgument(token.bytes), RedisArgument(Self.milliseconds(lease)),
                RedisArgument(self.emptyRecord(token)), RedisArgument(Self.longestLease),
            ])
        let fields = reply.array ?? []
        switch fields.first?.string {
        case "granted": return .granted
        case "changed": return .changed
        case "held":
            guard fields.count == 3, let bytes = fields[1].bytes, let holder = LeaseToken(bytes: bytes), let left = fields[2].integer else {
                throw self.unexpected()
            }
            return .held(by: holder, remaining: .milliseconds(left))
        default: throw self.unexpected()
        }
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        _ = try await self.run(
            RedisCacheScripts.seize, [self.name(key)],
            [RedisArgument(token.bytes), RedisArgument(Self.milliseconds(lease)), RedisArgument(self.emptyRecord(token))])
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        let bytes = try self.encode(record, life, key)
        let reply = try await self.run(
            RedisCacheScripts.commit, [self.name(key)],
            [RedisArgument(token.bytes), RedisArgument(bytes), Self.lifeArgument(life)])
        return reply.integer == 1 ? .stored : .refused
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        _ = try await self.run(RedisCacheScripts.abandon, [self.name(key)], [RedisArgument(token.bytes)])
    }

    public func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        guard !keys.isEmpty else { return [] }
        let found = try await self.run(RedisCacheScripts.remove, keys.map { self.name($0) }, []).array ?? []
        guard found.count == keys.count else { throw self.unexpected() }
        return found.map { $0.integer == 1 }
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        try await self.run(RedisCacheScripts.expire, [self.name(key)], [RedisArgument(nonce.bytes)]).integer == 1
    }

    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        let names = tags.map { self.name($0) }
        var epochs: [TagEpoch?] = try await self.values(names).map(Self.epoch)
        for _ in 0..<5 {
            let missing = names.indices.filter { epochs[$0] == nil }
            guard !missing.isEmpty else { break }
            // Two clients may create one at once: the first one's stays, and both read it.
            _ = try await self.pipeline(missing.map { RedisCommand("SET", [RedisArgument(names[$0]), self.randomWord(), "NX"]) })
            epochs = try await self.values(names).map(Self.epoch)
        }
        let known = epochs.compactMap { $0 }
        guard known.count == tags.count else { throw self.unexpected() }
        return known
    }

    public func sequence(of namespace: String) async throws -> UInt64 {
        let name = StorageName.ofSequence(namespace: namespace, maximumLength: self.maximumKeyLength)
        for _ in 0..<5 {
            if let sequence = Self.epoch(try await self.send(RedisCommand("GET", [RedisArgument(name)]))) { return sequence.bits }
            _ = try await self.send(RedisCommand("SET", [RedisArgument(name), self.randomWord(), "NX"]))
        }
        throw self.unexpected()
    }

    public func invalidate(_ tags: [CacheTag]) async throws {
        let sequences = Set(tags.map(\.namespace)).map {
            StorageName.ofSequence(namespace: $0, maximumLength: self.maximumKeyLength)
        }
        let names = sequences + tags.map { self.name($0) }
        let replies = try await self.pipeline(names.map { RedisCommand("SET", [RedisArgument($0), self.randomWord()]) })
        // A server without memory refuses SET and takes DEL, which does as well: what is missing is created anew at random.
        guard replies.contains(where: { if case .failure = $0 { true } else { false } }) else { return }
        for name in names { _ = try await self.send(RedisCommand("DEL", [RedisArgument(name)])) }
    }

    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        var results: [Result<Void, CacheError>] = []
        var commands: [RedisCommand] = []
        var sent: [Int] = []
        for (index, write) in writes.enumerated() {
            do throws(CacheError) {
                let bytes = try self.encode(write.record, write.life, write.key)
                commands.append(self.set(self.name(write.key), RedisArgument(bytes), write.life))
                sent.append(index)
                results.append(.success(()))
            } catch {
                results.append(.failure(error))
            }
        }
        guard !commands.isEmpty else { return results }
        for (index, reply) in zip(sent, try await self.pipeline(commands)) {
            if case .failure(let error) = reply { results[index] = .failure(Self.unavailable(error, key: writes[index].key.name)) }
        }
        return results
    }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        let bytes = try self.encode(write.record, write.life, write.key)
        let reply = try await self.run(
            RedisCacheScripts.writeSeen, [self.name(write.key)],
            [RedisArgument(seen.bytes), RedisArgument(bytes), Self.lifeArgument(write.life)])
        return reply.integer == 1 ? .stored : .changed
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        let ends = RecordBytes.ends(of: life, at: self.time.utcNow())
        let reply = try await self.run(
            RedisCacheScripts.touch, [self.name(key)], [RedisArgument(seen.bytes), RedisArgument(ends), Self.lifeArgument(life)])
        return reply.integer == 1 ? .stored : .changed
    }

    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        let reply = try await self.run(
            RedisCacheScripts.increment, [self.name(key)],
            [RedisArgument(amount), initial.map { RedisArgument($0) } ?? "", Self.lifeArgument(life)])
        let fields = reply.array ?? []
        switch fields.first?.string {
        case "ok":
            guard fields.count == 2, let value = fields[1].integer else { throw self.unexpected() }
            return value
        case "missing": throw CacheError.missingCounter(key: key.name)
        case "overflow": throw CacheError.counterOverflow(key: key.name)
        case "kind": throw CacheError.valueUsedAsCounter(key: key.name)
        default: throw self.unexpected()
        }
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        _ = try await self.send(self.set(self.name(key), RedisArgument(value), life))
    }
}

extension RedisCacheStore {
    private var maximumKeyLength: Int { self.capabilities.maximumKeyLength ?? 1024 }

    private func name(_ key: CacheKey) -> String { StorageName.of(key, maximumLength: self.maximumKeyLength) }

    private func name(_ tag: CacheTag) -> String { StorageName.of(tag, maximumLength: self.maximumKeyLength) }

    private func encode(_ record: CacheRecord, _ life: CacheLife, _ key: CacheKey) throws(CacheError) -> [UInt8] {
        let bytes = RecordBytes.encode(record.stamped(life, at: self.time.utcNow()))
        let limit = self.capabilities.maximumValueSize
        guard bytes.count <= limit else { throw .valueTooLarge(size: bytes.count, limit: limit, key: key.name) }
        return bytes
    }

    private func emptyRecord(_ token: LeaseToken) -> [UInt8] {
        var random = self.random
        let nonce = RecordNonce(bits: .random(in: .min ... .max, using: &random))
        return RecordBytes.encode(CacheRecord(flags: [.empty], nonce: nonce, schema: 0, tags: [], body: .bytes([])))
    }

    private func randomWord() -> RedisArgument {
        RedisArgument(Self.bytes(of: self.random.next()))
    }

    private func set(_ name: String, _ value: RedisArgument, _ life: CacheLife) -> RedisCommand {
        guard let milliseconds = Self.lifeMilliseconds(life) else { return RedisCommand("SET", [RedisArgument(name), value]) }
        return RedisCommand("SET", [RedisArgument(name), value, "PX", RedisArgument(milliseconds)])
    }

    private func values(_ names: [String]) async throws -> [RedisValue] {
        guard !names.isEmpty else { return [] }
        let replies = try await self.send(RedisCommand("MGET", names.map { RedisArgument($0) })).array ?? []
        guard replies.count == names.count else { throw self.unexpected() }
        return replies
    }

    private func send(_ command: RedisCommand) async throws -> RedisValue {
        do {
            return try await self.redis.send(command)
        } catch let error as RedisError {
            throw Self.unavailable(error, key: nil)
        }
    }

    private func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>] {
        do {
            return try await self.redis.pipeline(commands)
        } catch let error as RedisError {
            throw Self.unavailable(error, key: nil)
        }
    }

    private func run(_ script: RedisScript, _ keys: [String], _ arguments: [RedisArgument]) async throws -> RedisValue {
        do {
            return try await self.redis.evaluate(script, keys: keys, arguments: arguments)
        } catch let error as RedisError {
            throw Self.unavailable(error, key: nil)
        }
    }

    private func unexpected() -> CacheError {
        CacheError(code: .storeUnavailable, message: "\(self.redis.address) sent a reply of an unexpected form")
    }

    private static func unavailable(_ error: RedisError, key: String?) -> CacheError {
        CacheError(code: .storeUnavailable, message: error.description, key: key)
    }

    private static func epoch(_ reply: RedisValue) -> TagEpoch? {
        guard let bytes = reply.bytes, bytes.count == 8 else { return nil }
        return TagEpoch(bits: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    private static func bytes(of word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        max(duration.wholeMillisecondsRoundedUp, 1)
    }

    /// `nil` for forever, and for what is longer than a thousand years: Redis refuses ends beyond 64 bits of milliseconds.
    private static func lifeMilliseconds(_ life: CacheLife) -> Int64? {
        guard let physical = life.physical else { return nil }
        let milliseconds = self.milliseconds(physical)
        return milliseconds > 31_557_600_000_000 ? nil : milliseconds
    }

    private static func lifeArgument(_ life: CacheLife) -> RedisArgument {
        self.lifeMilliseconds(life).map { RedisArgument($0) } ?? ""
    }
}
