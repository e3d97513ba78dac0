/// Counters are a kind of their own: bare integers at the store, which many nodes can increment at once. Reading one as a value, or using
/// a value as a counter, is an error. They carry no tags, so that tag invalidation and ``Cache/invalidateAll()`` do not reach them.
extension Cache {
    /// Adds `amount` (negative to subtract) to the counter at `key` and returns its new value. Its life stays as it is.
    ///
    /// - Parameters:
    ///   - initial: where a counter that does not exist begins, before `amount` is added. `nil`: it is an error if it does not exist.
    ///   - expiresIn: the life of a counter that this call creates.
    /// - Throws: ``CacheError`` with `missingCounter`, `counterOverflow` (the counter keeps its value), `wrongKind` where a value is
    ///   stored, `unsupported`, or `storeUnavailable`: then it is not known whether it was added.
    public func increment(
        _ key: String, by amount: Int64 = 1, initial: Int64? = nil, expiresIn: Duration? = Cache.configuredExpiry
    ) async throws -> Int64 {
        try self.requireCounters(key)
        return try await self.reportingStoreFailures("increment") {
            // A removal that is still owed would take away what is counted now.
            try await self.invalidator.settle()
            guard let life = self.life(expiresIn) else {
                // A counter that would be gone at once is not created.
                return try await self.store.increment(self.key(key), by: amount, initial: nil, life: CacheLife(nil))
            }
            return try await self.store.increment(self.key(key), by: amount, initial: initial, life: life)
        }
    }

    /// The counter at `key`; `nil` when there is none.
    ///
    /// - Throws: ``CacheError`` with `wrongKind` where a value is stored, `unsupported`, or `storeUnavailable`.
    public func counter(_ key: String) async throws -> Int64? {
        try self.requireCounters(key)
        return try await self.reportingStoreFailures("read") {
            try await self.invalidator.settle()
            switch try await self.store.read([self.key(key)], epochs: []).entries.first {
            case .counter(let value): return value
            case .record(let record) where !record.isEmpty: throw CacheError.valueUsedAsCounter(key: key)
            case .absent, .record, .unreadable, nil: return nil
            }
        }
    }

    /// Sets the counter at `key`, whatever is stored there. A life of zero or less removes it.
    ///
    /// - Throws: ``CacheError`` with `unsupported` or `storeUnavailable`.
    public func setCounter(_ key: String, to value: Int64, expiresIn: Duration? = Cache.configuredExpiry) async throws {
        try self.requireCounters(key)
        guard let life = self.life(expiresIn) else {
            try await self.deleteMany([key])
            return
        }
        try await self.reportingStoreFailures("set") {
            try await self.invalidator.settle()
            try await self.store.setCounter(self.key(key), to: value, life: life)
        }
    }

    private func requireCounters(_ key: String) throws(CacheError) {
        guard !self.capabilities.counters else { return }
        throw CacheError(code: .unsupported, message: "this store keeps no counters", key: key)
    }
}
