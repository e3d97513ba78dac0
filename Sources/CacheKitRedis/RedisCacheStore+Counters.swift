public import CacheKit
import ScaleRedis

/// Counters: bare decimals, so that `INCRBY` works on them and other programs can read them.
extension RedisCacheStore {
    public func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        let reply = try await self.run(
            StoreScript.increment, [self.name(key)],
            [RedisArgument(amount), initial.map { RedisArgument($0) } ?? "", life.redisMilliseconds])
        guard case .array(let fields) = reply, let word = fields.first?.string else { throw Self.unexpected("increment") }
        switch word {
        case "ok":
            guard fields.count == 2, let value = fields[1].integer else { throw Self.unexpected("increment") }
            return value
        case "missing": throw CacheError.missingCounter(key: key.name)
        case "overflow": throw CacheError.counterOverflow(key: key.name)
        case "kind": throw CacheError.valueUsedAsCounter(key: key.name)
        default: throw Self.unexpected("increment")
        }
    }

    public func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        for reply in try await self.pipeline([self.set(key, RedisArgument(value), life)]) {
            if case .failure(let error) = reply { throw CacheError(error) }
        }
    }
}
