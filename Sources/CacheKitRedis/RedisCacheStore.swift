public import CacheKit
public import ScaleCore
public import ScaleRedis

/// A cache store in Redis, shared by all nodes that use the same server, database and namespace.
///
/// ```swift
/// let redis = try RedisClient("redis://127.0.0.1:6379/1")
/// let cache = Cache(store: RedisCacheStore(redis), namespace: "profiles")
/// ```
///
/// Each verb is one command or one script and one round trip. Names are `namespace:v:key` for entries, `namespace:t:tag` for the epochs
/// of tags and `namespace:s:` for the sequence; see CacheKit's `StorageName`. Epochs and sequences have no expiry: they are a few bytes
/// each, and a server that evicts them causes misses, never stale hits.
///
/// On a full server with `noeviction`, writes fail as "the store is down", while invalidations still succeed: they delete instead.
public struct RedisCacheStore: CacheStore {
    /// What Redis itself takes as one value.
    public static let redisValueLimit = 512 * 1024 * 1024

    public let capabilities: CacheStoreCapabilities
    let redis: RedisClient
    let time: TimeSource
    let random: RandomSource
    let longestLease: Duration

    /// - Parameters:
    ///   - maximumValueSize: bytes that a record may have, its head and tags included; larger ones throw `valueTooLarge`. Redis' own
    ///     limit, 512 MiB, by default; a megabyte already costs every client of the server milliseconds.
    ///   - longestLease: a stored lease that would last longer, and longer than the lease asked for, counts as none. It was written by
    ///     a server whose clock was ahead.
    ///   - time: gives UTC for the records' freshness.
    public init(
        _ redis: RedisClient, maximumValueSize: Int = RedisCacheStore.redisValueLimit, longestLease: Duration = .seconds(3600),
        time: TimeSource = .system, random: RandomSource = .system
    ) {
        self.redis = redis
        self.capabilities = CacheStoreCapabilities(
            maximumValueSize: min(max(maximumValueSize, 0), Self.redisValueLimit), maximumKeyLength: 1024, counters: true)
        self.longestLease = longestLease
        self.time = time
        self.random = random
    }

    // MARK: Names

    func name(_ key: CacheKey) -> String { StorageName.of(key, maximumLength: 1024) }
    func name(_ tag: CacheTag) -> String { StorageName.of(tag, maximumLength: 1024) }
    func sequenceName(_ namespace: String) -> String { StorageName.ofSequence(namespace: namespace, maximumLength: 1024) }

    // MARK: Calls

    /// Runs a script and reports what fails as the store's failure.
    func run(_ script: RedisScript, _ keys: [String], _ arguments: [RedisArgument]) async throws -> RedisValue {
        do {
            return try await self.redis.evaluate(script, keys: keys, arguments: arguments)
        } catch let error as RedisError {
            throw CacheError(error)
        }
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>] {
        do {
            return try await self.redis.pipeline(commands)
        } catch let error as RedisError {
            throw CacheError(error)
        }
    }

    func checkSize(_ bytes: [UInt8], _ key: CacheKey) throws(CacheError) {
        guard bytes.count <= self.capabilities.maximumValueSize else {
            throw .valueTooLarge(size: bytes.count, limit: self.capabilities.maximumValueSize, key: key.name)
        }
    }

    static func unexpected(_ verb: String) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Redis answered \(verb) with a reply of another form")
    }
}

extension CacheError {
    /// A failure of Redis as the store's. Nothing of a key or value is in a `RedisError`.
    init(_ error: RedisError) {
        self.init(code: .storeUnavailable, message: "Redis: \(error)")
    }
}
