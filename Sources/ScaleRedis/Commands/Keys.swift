import ScaleCore

// Keys of any type.
extension RedisCommandSender {
    /// Deletes keys and returns how many existed. Frees their memory before it returns; for large values see ``unlink(_:)``.
    @discardableResult
    public func del(_ keys: [String]) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        return try await self.callCount("DEL", keys.map { RedisArgument($0) })
    }

    /// Deletes keys and returns how many existed.
    @discardableResult
    public func del(_ keys: String...) async throws -> Int {
        try await self.del(keys)
    }

    /// Deletes keys, their memory being freed in the background, and returns how many existed. O(number of keys).
    @discardableResult
    public func unlink(_ keys: [String]) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        return try await self.callCount("UNLINK", keys.map { RedisArgument($0) })
    }

    /// How many of the keys exist; a key named twice counts twice.
    public func exists(_ keys: [String]) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        return try await self.callCount("EXISTS", keys.map { RedisArgument($0) })
    }

    public func exists(_ key: String) async throws -> Bool {
        try await self.callFlag("EXISTS", [RedisArgument(key)])
    }

    /// Renames a key, overwriting the other. Throws ``RedisError/Code/server`` when `key` is absent.
    public func rename(_ key: String, to newKey: String) async throws {
        try await self.callStatus("RENAME", [RedisArgument(key), RedisArgument(newKey)])
    }

    /// The type of the value at `key`: `string`, `list`, `set`, `zset`, `hash`, `stream`; nil when absent.
    public func type(of key: String) async throws -> String? {
        let name = try await self.call("TYPE", [RedisArgument(key)], wanted: "status") { $0.string }
        return name == "none" ? nil : name
    }
}
