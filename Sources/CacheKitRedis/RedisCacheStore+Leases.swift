public import CacheKit
import ScaleCore
import ScaleRedis

/// The verbs of a load: begin, commit, abandon, and the lease that a write takes by force.
extension RedisCacheStore {
    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        let reply = try await self.run(
            StoreScript.begin, [self.name(key)],
            [
                RedisArgument(seen.bytes), RedisArgument(token.bytes), lease.redisMilliseconds,
                RedisArgument(self.emptyRecord(token)), max(self.longestLease, lease).redisMilliseconds,
            ])
        guard case .array(let fields) = reply, let word = fields.first?.string else { throw Self.unexpected("begin") }
        switch (word, fields.count) {
        case ("granted", 1): return .granted
        case ("changed", 1): return .changed
        case ("held", 3):
            guard let holder = fields[1].bytes.flatMap(LeaseToken.init(bytes:)), let remaining = fields[2].integer else {
                throw Self.unexpected("begin")
            }
            return .held(by: holder, remaining: .milliseconds(remaining))
        default: throw Self.unexpected("begin")
        }
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        _ = try await self.run(
            StoreScript.seize, [self.name(key)],
            [RedisArgument(token.bytes), lease.redisMilliseconds, RedisArgument(self.emptyRecord(token))])
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        let bytes = RecordBytes.encode(record.stamped(life, at: self.time.utcNow()))
        try self.checkSize(bytes, key)
        let reply = try await self.run(
            StoreScript.commit, [self.name(key)], [RedisArgument(token.bytes), RedisArgument(bytes), life.redisMilliseconds])
        return reply.integer == 1 ? .stored : .refused
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        _ = try await self.run(StoreScript.abandon, [self.name(key)], [RedisArgument(token.bytes)])
    }

    /// A lease without a value. The script writes the deadline into it, by the server's clock.
    private func emptyRecord(_ token: LeaseToken) -> [UInt8] {
        var random = self.random
        var record = CacheRecord(
            flags: .empty, nonce: .random(using: &random), schema: 0, tags: [], body: .bytes([]))
        record.lease = token
        record.physicalEnd = .max
        return RecordBytes.encode(record)
    }
}
