/// A member of a sorted set and its score.
public struct RedisScoredMember: Sendable, Hashable {
    public var member: [UInt8]
    public var score: Double

    public init(member: [UInt8], score: Double) {
        self.member = member
        self.score = score
    }
}

/// An end of a range of scores.
public enum RedisScoreBound: Sendable, Hashable {
    case inclusive(Double)
    case exclusive(Double)

    /// Below every score.
    public static let lowest = RedisScoreBound.inclusive(-.infinity)
    /// Above every score.
    public static let highest = RedisScoreBound.inclusive(.infinity)

    var argument: RedisArgument {
        switch self {
        case .inclusive(let score): RedisArgument(score)
        case .exclusive(let score): RedisArgument("(\(score.isInfinite ? (score < 0 ? "-inf" : "inf") : "\(score)")")
        }
    }
}

/// What `ZADD` does with members that are there, and with those that are not.
public enum RedisSortedSetCondition: Sendable, Hashable {
    /// Only adds (`NX`).
    case onlyAdd
    /// Only changes scores (`XX`).
    case onlyUpdate
    /// Adds, and changes a score only upwards (`GT`).
    case raise
    /// Adds, and changes a score only downwards (`LT`).
    case lower

    var argument: RedisArgument {
        switch self {
        case .onlyAdd: "NX"
        case .onlyUpdate: "XX"
        case .raise: "GT"
        case .lower: "LT"
        }
    }
}

// Sorted sets: distinct members in the order of their scores, equal scores in the order of their bytes.
// Redis: https://redis.io/docs/latest/commands/?group=sorted-set
extension RedisCommandSender {
    /// Adds members, or changes their scores, and returns how many are new. O(log size) each.
    @discardableResult
    public func zadd(
        _ key: String, _ members: [(member: RedisArgument, score: Double)], condition: RedisSortedSetCondition? = nil
    ) async throws -> Int {
        guard !members.isEmpty else { return 0 }
        let options = condition.map { [$0.argument] } ?? []
        return try await self.callCount(
            "ZADD", [RedisArgument(key)] + options + members.flatMap { [RedisArgument($0.score), $0.member] })
    }

    /// Adds to the score of a member (0 when absent) and returns the sum. O(log size).
    @discardableResult
    public func zincrby(_ key: String, by delta: Double = 1, _ member: RedisArgument) async throws -> Double {
        try await self.call("ZINCRBY", [RedisArgument(key), RedisArgument(delta), member], wanted: "number") { $0.double }
    }

    /// The score of a member, nil when it is absent. O(1).
    public func zscore(_ key: String, _ member: RedisArgument) async throws -> Double? {
        try await self.call("ZSCORE", [RedisArgument(key), member], wanted: "number or null") { reply -> Double?? in
            reply.isNull ? .some(nil) : reply.double.map { .some($0) }
        }
    }

    /// The position of a member, from the lowest score or, `descending`, from the highest; nil when it is absent. O(log size).
    public func zrank(_ key: String, _ member: RedisArgument, descending: Bool = false) async throws -> Int? {
        let name = descending ? "ZREVRANK" : "ZRANK"
        return try await self.call(name, [RedisArgument(key), member], wanted: "integer or null") { reply -> Int?? in
            reply.isNull ? .some(nil) : reply.integer.map { .some(Int(clamping: $0)) }
        }
    }

    /// Removes members and returns how many there were. O(log size) each.
    @discardableResult
    public func zrem(_ key: String, _ members: [RedisArgument]) async throws -> Int {
        guard !members.isEmpty else { return 0 }
        return try await self.callCount("ZREM", [RedisArgument(key)] + members)
    }

    /// The number of members, 0 when the key is absent. O(1).
    public func zcard(_ key: String) async throws -> Int {
        try await self.callCount("ZCARD", [RedisArgument(key)])
    }

    /// The number of members with scores in a range. O(log size).
    public func zcount(_ key: String, from low: RedisScoreBound = .lowest, to high: RedisScoreBound = .highest) async throws -> Int {
        try await self.callCount("ZCOUNT", [RedisArgument(key), low.argument, high.argument])
    }

    /// The members from position `start` through `end`, both included, negative ones from the other side, with their scores; in
    /// ascending order of score or, `descending`, the highest first. O(log size + number of members).
    public func zrange(_ key: String, from start: Int = 0, through end: Int = -1, descending: Bool = false) async throws
        -> [RedisScoredMember]
    {
        let order: [RedisArgument] = descending ? ["REV"] : []
        return try await self.callScored(
            "ZRANGE", [RedisArgument(key), RedisArgument(start), RedisArgument(end)] + order + ["WITHSCORES"])
    }

    /// The members with scores in a range, ascending or, `descending`, the highest first; at most `limit` of them after `offset`.
    public func zrangeByScore(
        _ key: String, from low: RedisScoreBound = .lowest, to high: RedisScoreBound = .highest, descending: Bool = false,
        offset: Int = 0, limit: Int? = nil
    ) async throws -> [RedisScoredMember] {
        let (first, last) = descending ? (high, low) : (low, high)
        var arguments = [RedisArgument(key), first.argument, last.argument, "BYSCORE"]
        if descending { arguments.append("REV") }
        if offset != 0 || limit != nil { arguments += ["LIMIT", RedisArgument(offset), RedisArgument(limit ?? -1)] }
        return try await self.callScored("ZRANGE", arguments + ["WITHSCORES"])
    }

    /// Removes the members with scores in a range and returns how many there were.
    @discardableResult
    public func zremrangeByScore(
        _ key: String, from low: RedisScoreBound = .lowest, to high: RedisScoreBound = .highest
    ) async throws -> Int {
        try await self.callCount("ZREMRANGEBYSCORE", [RedisArgument(key), low.argument, high.argument])
    }

    /// Removes the members from position `start` through `end` and returns how many there were.
    @discardableResult
    public func zremrangeByRank(_ key: String, from start: Int, through end: Int) async throws -> Int {
        try await self.callCount("ZREMRANGEBYRANK", [RedisArgument(key), RedisArgument(start), RedisArgument(end)])
    }

    /// Takes out the members with the lowest scores.
    public func zpopmin(_ key: String, count: Int = 1) async throws -> [RedisScoredMember] {
        try await self.callScored("ZPOPMIN", [RedisArgument(key), RedisArgument(count)])
    }

    /// Takes out the members with the highest scores, the highest first.
    public func zpopmax(_ key: String, count: Int = 1) async throws -> [RedisScoredMember] {
        try await self.callScored("ZPOPMAX", [RedisArgument(key), RedisArgument(count)])
    }

    private func callScored(_ name: String, _ arguments: [RedisArgument]) async throws -> [RedisScoredMember] {
        try await self.call(name, arguments, wanted: "array of members and scores") { $0.scoredMembers }
    }
}

extension RedisValue {
    /// Members and scores in turn; nil when the array is something else.
    var scoredMembers: [RedisScoredMember]? {
        if self.isNull { return [] }
        guard let elements = self.array, let pairs = pairs(elements) else { return nil }
        var members: [RedisScoredMember] = []
        members.reserveCapacity(pairs.count)
        for (member, score) in pairs {
            guard let bytes = member.bytes, let score = score.double else { return nil }
            members.append(RedisScoredMember(member: bytes, score: score))
        }
        return members
    }
}
