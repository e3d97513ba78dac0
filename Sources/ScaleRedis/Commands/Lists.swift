/// An end of a list.
public enum RedisListEnd: Sendable, Hashable {
    /// The head, position 0.
    case left
    /// The tail, position -1.
    case right

    var argument: RedisArgument {
        switch self {
        case .left: "LEFT"
        case .right: "RIGHT"
        }
    }
}

// Lists: fast at both ends. Redis: https://redis.io/docs/latest/commands/?group=list
//
// The blocking pops (`BLPOP`, `BLMOVE`, …) would hold up everybody on a shared connection; they are in `Blocking.swift`, on
// `RedisConnection` alone.
extension RedisCommandSender {
    /// Puts elements at the head, the last one foremost, and returns the list's length. O(number of elements).
    @discardableResult
    public func lpush(_ key: String, _ elements: [RedisArgument]) async throws -> Int {
        guard !elements.isEmpty else { return try await self.llen(key) }
        return try await self.callCount("LPUSH", [RedisArgument(key)] + elements)
    }

    /// Puts elements at the tail and returns the list's length. O(number of elements).
    @discardableResult
    public func rpush(_ key: String, _ elements: [RedisArgument]) async throws -> Int {
        guard !elements.isEmpty else { return try await self.llen(key) }
        return try await self.callCount("RPUSH", [RedisArgument(key)] + elements)
    }

    /// Takes the element at the head, nil when the list is empty. O(1).
    public func lpop(_ key: String) async throws -> [UInt8]? {
        try await self.callBytes("LPOP", [RedisArgument(key)])
    }

    /// Takes up to `count` elements from the head.
    public func lpop(_ key: String, count: Int) async throws -> [[UInt8]] {
        try await self.callList("LPOP", [RedisArgument(key), RedisArgument(count)])
    }

    /// Takes the element at the tail, nil when the list is empty. O(1).
    public func rpop(_ key: String) async throws -> [UInt8]? {
        try await self.callBytes("RPOP", [RedisArgument(key)])
    }

    /// Takes up to `count` elements from the tail, the last one first.
    public func rpop(_ key: String, count: Int) async throws -> [[UInt8]] {
        try await self.callList("RPOP", [RedisArgument(key), RedisArgument(count)])
    }

    /// Takes an element from an end of one list and puts it at an end of another (or the same) in one step; nil when there was none. O(1).
    public func lmove(
        from source: String, _ sourceEnd: RedisListEnd, to destination: String, _ destinationEnd: RedisListEnd
    ) async throws -> [UInt8]? {
        try await self.callBytes(
            "LMOVE", [RedisArgument(source), RedisArgument(destination), sourceEnd.argument, destinationEnd.argument])
    }

    /// The elements from `start` through `end`, both included, negative positions from the tail. O(distance + number of elements).
    public func lrange(_ key: String, from start: Int = 0, through end: Int = -1) async throws -> [[UInt8]] {
        try await self.callList("LRANGE", [RedisArgument(key), RedisArgument(start), RedisArgument(end)])
    }

    /// The element at a position, nil when there is none. O(distance from the nearer end).
    public func lindex(_ key: String, _ position: Int) async throws -> [UInt8]? {
        try await self.callBytes("LINDEX", [RedisArgument(key), RedisArgument(position)])
    }

    /// Replaces the element at a position. Throws ``RedisError/Code/server`` when there is none.
    public func lset(_ key: String, _ position: Int, _ element: RedisArgument) async throws {
        try await self.callStatus("LSET", [RedisArgument(key), RedisArgument(position), element])
    }

    /// Removes elements equal to `element`: the first `count` from the head, from the tail when negative, all when 0.
    /// Returns how many were removed. O(length).
    @discardableResult
    public func lrem(_ key: String, _ element: RedisArgument, count: Int = 0) async throws -> Int {
        try await self.callCount("LREM", [RedisArgument(key), RedisArgument(count), element])
    }

    /// Keeps the elements from `start` through `end` alone.
    public func ltrim(_ key: String, from start: Int, through end: Int) async throws {
        try await self.callStatus("LTRIM", [RedisArgument(key), RedisArgument(start), RedisArgument(end)])
    }

    /// The list's length, 0 when the key is absent. O(1).
    public func llen(_ key: String) async throws -> Int {
        try await self.callCount("LLEN", [RedisArgument(key)])
    }
}
