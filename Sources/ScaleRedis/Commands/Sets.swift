// Sets of distinct members. Redis: https://redis.io/docs/latest/commands/?group=set
extension RedisCommandSender {
    /// Adds members and returns how many are new. O(number of members).
    @discardableResult
    public func sadd(_ key: String, _ members: [RedisArgument]) async throws -> Int {
        guard !members.isEmpty else { return 0 }
        return try await self.callCount("SADD", [RedisArgument(key)] + members)
    }

    /// Removes members and returns how many there were.
    @discardableResult
    public func srem(_ key: String, _ members: [RedisArgument]) async throws -> Int {
        guard !members.isEmpty else { return 0 }
        return try await self.callCount("SREM", [RedisArgument(key)] + members)
    }

    /// Whether `member` is in the set. O(1).
    public func sismember(_ key: String, _ member: RedisArgument) async throws -> Bool {
        try await self.callFlag("SISMEMBER", [RedisArgument(key), member])
    }

    /// For each of the members, in order, whether it is in the set.
    public func smismember(_ key: String, _ members: [RedisArgument]) async throws -> [Bool] {
        guard !members.isEmpty else { return [] }
        return try await self.call("SMISMEMBER", [RedisArgument(key)] + members, wanted: "array of integers") { reply in
            reply.array?.map { $0.integer == 1 }
        }
    }

    /// All members, in no order. O(size): for large sets see `sscan`.
    public func smembers(_ key: String) async throws -> [[UInt8]] {
        try await self.callList("SMEMBERS", [RedisArgument(key)])
    }

    /// The number of members, 0 when the key is absent. O(1).
    public func scard(_ key: String) async throws -> Int {
        try await self.callCount("SCARD", [RedisArgument(key)])
    }

    /// Takes out a random member, nil when there is none. O(1).
    public func spop(_ key: String) async throws -> [UInt8]? {
        try await self.callBytes("SPOP", [RedisArgument(key)])
    }

    /// Up to `count` distinct random members, which stay in the set; a negative count gives that many with repetitions.
    public func srandmember(_ key: String, count: Int) async throws -> [[UInt8]] {
        try await self.callList("SRANDMEMBER", [RedisArgument(key), RedisArgument(count)])
    }

    /// Moves a member between two sets in one step, and returns whether it was in the first. O(1).
    @discardableResult
    public func smove(from source: String, to destination: String, _ member: RedisArgument) async throws -> Bool {
        try await self.callFlag("SMOVE", [RedisArgument(source), RedisArgument(destination), member])
    }

    /// The members that are in all sets. O(size of the smallest · number of sets).
    public func sinter(_ keys: [String]) async throws -> [[UInt8]] {
        try await self.callList("SINTER", keys.map { RedisArgument($0) })
    }

    /// The members that are in any set. O(all sizes).
    public func sunion(_ keys: [String]) async throws -> [[UInt8]] {
        try await self.callList("SUNION", keys.map { RedisArgument($0) })
    }

    /// The members of the first set that are in none of the others. O(all sizes).
    public func sdiff(_ keys: [String]) async throws -> [[UInt8]] {
        try await self.callList("SDIFF", keys.map { RedisArgument($0) })
    }
}
