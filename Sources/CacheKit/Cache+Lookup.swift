import Metrics

extension Cache {
    /// The fresh value at `key` in this process's memory, without suspending. `nil` when there is none, and always when the store is
    /// not in memory.
    ///
    /// O(1): one lock, no decoding, no allocation.
    @inlinable
    public func cached<Value: Sendable>(for key: String, as type: Value.Type = Value.self) -> Value? {
        self.cachedObject(for: key, of: ObjectIdentifier(Value.self))?.value(as: Value.self)
    }

    /// All of ``cached(for:as:)`` that does not depend on the type, which is compiled where the call is.
    @usableFromInline
    func cachedObject(for key: String, of type: ObjectIdentifier) -> CachedObject? {
        guard self.hasMemory, !self.invalidator.isOwing else { return nil }
        guard let object = self.memory.peek(key, in: self.space), object.type == type else {
            self.metrics.misses.increment()
            return nil
        }
        self.metrics.hits.increment()
        return object
    }

    /// The value at `key`; on a miss `load` runs, once for all who wait on all nodes, and its value is stored.
    ///
    /// What `load` throws reaches all who wait for it and is not stored. The load goes on when the caller is cancelled and somebody else
    /// waits; it is cancelled when nobody does. `load` runs in a task of its own, with the task-local values of the caller that started it.
    ///
    /// - Parameters:
    ///   - expiresIn: counted from the load's begin, since the value is as old as that. `nil`: forever. Zero or less: the value is
    ///     returned and not stored.
    ///   - tags: names by which ``invalidate(tag:)`` reaches the entry.
    ///   - fence: of an invalidation whose effect this read must see, see ``CacheFence``.
    ///   - codec: by default by the value's type, see ``CacheCodec``.
    /// - Throws: what `load` throws; ``CacheError`` with `valueTooLarge`, `encodingFailed`, `invalidTag`, or `wrongKind` where a counter is
    ///   stored; `CancellationError`. A store that cannot be reached makes no error: then `load` runs, once for all who wait on this
    ///   node, and its value is returned and not stored. It may be older than an invalidation on another node, by
    ///   ``CacheConfiguration/coherenceBound`` at most; a read with a fence runs `load` for itself.
    public func value<Value: Codable & Sendable>(
        for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [], fence: CacheFence? = nil,
        codec: CacheCodec<Value>? = nil, load: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await self.lookup(for: key, expiresIn: expiresIn, tags: tags, fence: fence, codec: codec, load: load).value
    }

    /// As ``value(for:expiresIn:tags:fence:codec:load:)``, with how the value was come by.
    public func lookup<Value: Codable & Sendable>(
        for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [], fence: CacheFence? = nil,
        codec: CacheCodec<Value>? = nil, load: @escaping @Sendable () async throws -> Value
    ) async throws -> CacheResult<Value> {
        if fence == nil, let hit = self.hitInMemory(key, as: Value.self) { return hit }
        let request = LookupRequest(
            cache: self, name: key, life: self.life(expiresIn), tags: try self.checkedTags(tags), fence: fence?.id,
            mayAddTags: false, coding: self.coding(codec), load: { _ in try await load() })
        return try await request.run()
    }

    /// As ``lookup(for:expiresIn:tags:fence:codec:load:)``, for a loader that adds tags which depend on what it read.
    public func lookup<Value: Codable & Sendable>(
        for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [], fence: CacheFence? = nil,
        codec: CacheCodec<Value>? = nil, load: @escaping @Sendable (CacheLoadContext) async throws -> Value
    ) async throws -> CacheResult<Value> {
        if fence == nil, let hit = self.hitInMemory(key, as: Value.self) { return hit }
        let request = LookupRequest(
            cache: self, name: key, life: self.life(expiresIn), tags: try self.checkedTags(tags), fence: fence?.id,
            mayAddTags: true, coding: self.coding(codec), load: load)
        return try await request.run()
    }

    private func hitInMemory<Value: Sendable>(_ key: String, as _: Value.Type) -> CacheResult<Value>? {
        guard let value: Value = self.memoryHit(key) else { return nil }
        return CacheResult(value: value, outcome: .hit)
    }
}
