import CacheKit
import ScaleCore
import ScaleRedis

extension Duration {
    /// Whole milliseconds, at least 1 and at most what Redis takes as an expiry (far beyond a million years).
    var redisMilliseconds: RedisArgument {
        RedisArgument(min(max(self.wholeMillisecondsRoundedUp, 1), 1 << 53))
    }
}

extension CacheLife {
    /// How long the server keeps the record; nothing when forever.
    var redisMilliseconds: RedisArgument {
        self.physical?.redisMilliseconds ?? ""
    }
}
