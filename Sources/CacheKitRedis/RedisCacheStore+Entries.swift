public import CacheKit
import ScaleCore
import ScaleRedis

/// Reading, writing and removing entries.
extension RedisCacheStore {
    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        let names = keys.map { self.name($0) } + tags.map { self.name($0) }
        let replies = try await self.pipeline(names.map { RedisCommand("GET", [RedisArgument($0)]) })
        guard replies.count == names.count else { throw Self.unexpected("read") }
        let values = try replies.map { reply -> [UInt8]? in
            switch reply {
            case .success(let value): return value.bytes
            // A key that holds another type is nothing of ours: a miss, which the next load replaces.
            case .failure(let error) where error.serverError?.kind == "WRONGTYPE": return nil
            case .failure(let error): throw CacheError(error)
            }
        }
        return StoreReading(
            entries: values.prefix(keys.count).map { $0.map { StoredEntry(bytes: $0) } ?? .absent },
            epochs: values.dropFirst(keys.count).map { $0.flatMap { BigEndian.integer(UInt64.self, $0) }.map(TagEpoch.init(bits:)) })
    }

    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        let now = self.time.utcNow()
        var results: [Result<Void, CacheError>] = []
        var commands: [(index: Int, command: RedisCommand)] = []
        for (index, write) in writes.enumerated() {
            let bytes = RecordBytes.encode(write.record.stamped(write.life, at: now))
            do {
                try self.checkSize(bytes, write.key)
                commands.append((index, self.set(write.key, RedisArgument(bytes), write.life)))
                results.append(.success(()))
            } catch {
                results.append(.failure(error))
            }
        }
        let replies = try await self.pipeline(commands.map(\.command))
        for ((index, _), reply) in zip(commands, replies) {
            if case .failure(let error) = reply { results[index] = .failure(CacheError(error)) }
        }
        return results
    }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        let bytes = RecordBytes.encode(write.record.stamped(write.life, at: self.time.utcNow()))
        try self.checkSize(bytes, write.key)
        let reply = try await self.run(
            StoreScript.writeIfSeen, [self.name(write.key)],
            [RedisArgument(seen.bytes), RedisArgument(bytes), write.life.redisMilliseconds])
        return reply.integer == 1 ? .stored : .changed
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        let reply = try await self.run(
            StoreScript.touch, [self.name(key)],
            [
                RedisArgument(seen.bytes), RedisArgument(RecordBytes.ends(of: life, at: self.time.utcNow())),
                life.redisMilliseconds,
            ])
        return reply.integer == 1 ? .stored : .changed
    }

    public func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        guard !keys.isEmpty else { return [] }
        let reply = try await self.run(StoreScript.remove, keys.map { self.name($0) }, [])
        guard case .array(let values) = reply, values.count == keys.count else { throw Self.unexpected("remove") }
        return values.map { $0.integer == 1 }
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        try await self.run(StoreScript.expire, [self.name(key)], [RedisArgument(nonce.bytes)]).integer == 1
    }

    func set(_ key: CacheKey, _ value: RedisArgument, _ life: CacheLife) -> RedisCommand {
        let expiry: [RedisArgument] = life.physical.map { ["PX", $0.redisMilliseconds] } ?? []
        return RedisCommand("SET", [RedisArgument(self.name(key)), value] + expiry)
    }
}
