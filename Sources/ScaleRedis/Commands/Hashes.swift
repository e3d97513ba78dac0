// Hashes: records of fields. Redis: https://redis.io/docs/latest/commands/?group=hash
extension RedisCommandSender {
    /// The value of a field, nil when key or field is absent. O(1).
    public func hget(_ key: String, _ field: RedisArgument) async throws -> [UInt8]? {
        try await self.callBytes("HGET", [RedisArgument(key), field])
    }

    /// Stores a field and returns whether it is new. O(1).
    @discardableResult
    public func hset(_ key: String, _ field: RedisArgument, _ value: RedisArgument) async throws -> Bool {
        try await self.callFlag("HSET", [RedisArgument(key), field, value])
    }

    /// Stores several fields in one step and returns how many are new.
    @discardableResult
    public func hset(_ key: String, _ fields: [(field: RedisArgument, value: RedisArgument)]) async throws -> Int {
        guard !fields.isEmpty else { return 0 }
        return try await self.callCount("HSET", [RedisArgument(key)] + fields.flatMap { [$0.field, $0.value] })
    }

    /// Stores a field unless it exists, and returns whether it was stored. O(1).
    @discardableResult
    public func hsetnx(_ key: String, _ field: RedisArgument, _ value: RedisArgument) async throws -> Bool {
        try await self.callFlag("HSETNX", [RedisArgument(key), field, value])
    }

    /// The values of several fields, in order, nil where one is absent.
    public func hmget(_ key: String, _ fields: [RedisArgument]) async throws -> [[UInt8]?] {
        guard !fields.isEmpty else { return [] }
        return try await self.callOptionals("HMGET", [RedisArgument(key)] + fields)
    }

    /// All fields and values, in the server's order; empty when the key is absent. O(size): for large hashes see `hscan`.
    public func hgetall(_ key: String) async throws -> [(field: [UInt8], value: [UInt8])] {
        try await self.call("HGETALL", [RedisArgument(key)], wanted: "array of pairs") { reply in
            reply.byteStrings.flatMap { pairs($0) }?.map { (field: $0.0, value: $0.1) }
        }
    }

    /// Deletes fields and returns how many existed. The key goes with its last field.
    @discardableResult
    public func hdel(_ key: String, _ fields: [RedisArgument]) async throws -> Int {
        guard !fields.isEmpty else { return 0 }
        return try await self.callCount("HDEL", [RedisArgument(key)] + fields)
    }

    /// Whether the field exists. O(1).
    public func hexists(_ key: String, _ field: RedisArgument) async throws -> Bool {
        try await self.callFlag("HEXISTS", [RedisArgument(key), field])
    }

    /// Adds to the integer in a field (0 when absent) and returns the sum. O(1).
    @discardableResult
    public func hincrby(_ key: String, _ field: RedisArgument, by delta: Int64 = 1) async throws -> Int64 {
        try await self.callInteger("HINCRBY", [RedisArgument(key), field, RedisArgument(delta)])
    }

    /// Adds to the number in a field (0 when absent) and returns the sum. O(1).
    @discardableResult
    public func hincrbyfloat(_ key: String, _ field: RedisArgument, by delta: Double) async throws -> Double {
        try await self.call("HINCRBYFLOAT", [RedisArgument(key), field, RedisArgument(delta)], wanted: "number") { $0.double }
    }

    /// The number of fields, 0 when the key is absent. O(1).
    public func hlen(_ key: String) async throws -> Int {
        try await self.callCount("HLEN", [RedisArgument(key)])
    }

    /// The names of all fields. O(size).
    public func hkeys(_ key: String) async throws -> [[UInt8]] {
        try await self.callList("HKEYS", [RedisArgument(key)])
    }

    /// The values of all fields. O(size).
    public func hvals(_ key: String) async throws -> [[UInt8]] {
        try await self.callList("HVALS", [RedisArgument(key)])
    }
}

/// Elements two by two; nil when one is left over.
func pairs<Element>(_ elements: [Element]) -> [(Element, Element)]? {
    guard elements.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: elements.count, by: 2).map { (elements[$0], elements[$0 + 1]) }
}
