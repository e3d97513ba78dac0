public import ScaleCore

/// Whether and when a key expires.
public enum RedisTimeToLive: Sendable, Hashable {
    /// There is no such key.
    case absent
    /// The key stays until it is deleted or evicted.
    case unlimited
    case remaining(Duration)
}

/// When `EXPIRE` sets an expiry.
public enum RedisExpiryCondition: Sendable, Hashable {
    /// Only when the key has none (`NX`).
    case ifNone
    /// Only when the key has one (`XX`).
    case ifSome
    /// Only when the new one is later (`GT`); no expiry counts as latest.
    case ifLater
    /// Only when the new one is earlier (`LT`).
    case ifEarlier

    var argument: RedisArgument {
        switch self {
        case .ifNone: "NX"
        case .ifSome: "XX"
        case .ifLater: "GT"
        case .ifEarlier: "LT"
        }
    }
}

// Expiry. Times are rounded up to whole milliseconds.
extension RedisCommandSender {
    /// Lets a key expire after a time, and returns whether that was set. Zero and less delete the key at once. O(1).
    @discardableResult
    public func expire(_ key: String, after duration: Duration, condition: RedisExpiryCondition? = nil) async throws -> Bool {
        let options = condition.map { [$0.argument] } ?? []
        return try await self.callFlag("PEXPIRE", [RedisArgument(key), milliseconds(duration)] + options)
    }

    /// Lets a key expire at a time of the server's clock, and returns whether that was set. O(1).
    @discardableResult
    public func expire(_ key: String, at time: UTCTime, condition: RedisExpiryCondition? = nil) async throws -> Bool {
        let options = condition.map { [$0.argument] } ?? []
        return try await self.callFlag("PEXPIREAT", [RedisArgument(key), RedisArgument(time.millisecondsSinceEpoch)] + options)
    }

    /// Drops a key's expiry, and returns whether it had one. O(1).
    @discardableResult
    public func persist(_ key: String) async throws -> Bool {
        try await self.callFlag("PERSIST", [RedisArgument(key)])
    }

    /// How long a key has left, to the millisecond. O(1).
    public func timeToLive(_ key: String) async throws -> RedisTimeToLive {
        switch try await self.callInteger("PTTL", [RedisArgument(key)]) {
        case -2: .absent
        case ..<0: .unlimited
        case let milliseconds: .remaining(.milliseconds(milliseconds))
        }
    }

    /// Sets the time of last access, for the server's eviction; returns how many of the keys exist.
    @discardableResult
    public func touch(_ keys: [String]) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        return try await self.callCount("TOUCH", keys.map { RedisArgument($0) })
    }
}
