import ScaleCore

/// When `SET` stores a value.
public enum RedisSetCondition: Sendable, Hashable {
    /// Only when the key is absent (`NX`).
    case ifAbsent
    /// Only when the key exists (`XX`).
    case ifPresent
}

// Strings and counters. Redis: https://redis.io/docs/latest/commands/?group=string
extension RedisCommandSender {
    /// The value of `key`, nil when it is absent. O(1).
    public func get(_ key: String) async throws -> [UInt8]? {
        try await self.callBytes("GET", [RedisArgument(key)])
    }

    /// Stores a value, and drops the expiry that the key had, unless `keepsExpiry`. O(1).
    ///
    /// - Parameters:
    ///   - expiresIn: rounded up to whole milliseconds; the server refuses zero and less.
    ///   - condition: when to store; nil stores always.
    /// - Returns: whether the value was stored.
    @discardableResult
    public func set(
        _ key: String, _ value: RedisArgument, expiresIn: Duration? = nil, condition: RedisSetCondition? = nil, keepsExpiry: Bool = false
    ) async throws -> Bool {
        var arguments = [RedisArgument(key), value]
        switch condition {
        case .ifAbsent: arguments.append("NX")
        case .ifPresent: arguments.append("XX")
        case nil: break
        }
        if let expiresIn { arguments += ["PX", milliseconds(expiresIn)] }
        if keepsExpiry { arguments.append("KEEPTTL") }
        return try await self.call("SET", arguments, wanted: "status or null") { reply in
            switch reply {
            case .status: true
            case .null: false
            case .integer, .bulk, .array, .error: nil
            }
        }
    }

    /// Stores a value and returns the one before, nil when there was none. Drops the key's expiry. O(1).
    public func getSet(_ key: String, _ value: RedisArgument) async throws -> [UInt8]? {
        try await self.callBytes("SET", [RedisArgument(key), value, "GET"])
    }

    /// The value of `key`, which is deleted in the same step. O(1).
    public func getDelete(_ key: String) async throws -> [UInt8]? {
        try await self.callBytes("GETDEL", [RedisArgument(key)])
    }

    /// The value of `key`, whose expiry is set anew in the same step. O(1).
    public func get(_ key: String, expiresIn: Duration) async throws -> [UInt8]? {
        try await self.callBytes("GETEX", [RedisArgument(key), "PX", milliseconds(expiresIn)])
    }

    /// The values of several keys, in order, nil where one is absent. O(number of keys).
    public func mget(_ keys: [String]) async throws -> [[UInt8]?] {
        guard !keys.isEmpty else { return [] }
        return try await self.callOptionals("MGET", keys.map { RedisArgument($0) })
    }

    /// Stores several values in one atomic step, without expiry. O(number of keys).
    public func mset(_ values: [(key: String, value: RedisArgument)]) async throws {
        guard !values.isEmpty else { return }
        try await self.callStatus("MSET", values.flatMap { [RedisArgument($0.key), $0.value] })
    }

    /// Adds to the integer at `key` (0 when absent) and returns the sum. The expiry stays. O(1).
    ///
    /// - Throws: ``RedisError/Code/server`` when the value is no integer, or the sum is beyond 64 bits; nothing is changed then.
    @discardableResult
    public func incr(_ key: String, by delta: Int64 = 1) async throws -> Int64 {
        try await self.callInteger("INCRBY", [RedisArgument(key), RedisArgument(delta)])
    }

    /// Subtracts from the integer at `key` (0 when absent) and returns the difference. O(1).
    @discardableResult
    public func decr(_ key: String, by delta: Int64 = 1) async throws -> Int64 {
        try await self.callInteger("DECRBY", [RedisArgument(key), RedisArgument(delta)])
    }

    /// Adds to the number at `key` (0 when absent) and returns the sum. O(1).
    @discardableResult
    public func incrByFloat(_ key: String, by delta: Double) async throws -> Double {
        try await self.call("INCRBYFLOAT", [RedisArgument(key), RedisArgument(delta)], wanted: "number") { $0.double }
    }

    /// Appends to the string at `key` and returns its new length in bytes. O(1) amortised.
    @discardableResult
    public func append(_ key: String, _ value: RedisArgument) async throws -> Int {
        try await self.callCount("APPEND", [RedisArgument(key), value])
    }

    /// The length in bytes of the string at `key`, 0 when absent. O(1).
    public func strlen(_ key: String) async throws -> Int {
        try await self.callCount("STRLEN", [RedisArgument(key)])
    }

    /// A part of the string at `key`, both ends included, negative positions from the end. O(length).
    public func getRange(_ key: String, from start: Int, through end: Int) async throws -> [UInt8] {
        try await self.callBytes("GETRANGE", [RedisArgument(key), RedisArgument(start), RedisArgument(end)]) ?? []
    }

    /// Overwrites a part of the string at `key`, padded with zero bytes where it was shorter; returns the new length in bytes.
    @discardableResult
    public func setRange(_ key: String, at offset: Int, _ value: RedisArgument) async throws -> Int {
        try await self.callCount("SETRANGE", [RedisArgument(key), RedisArgument(offset), value])
    }
}
