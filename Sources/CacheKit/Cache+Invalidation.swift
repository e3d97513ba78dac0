import Metrics
import ScaleCore

extension Cache {
    /// Ends the entry at `key`: no value whose load began before this call is returned to a read that begins after it, or stored.
    ///
    /// Call it after the database's commit. It goes on when the caller is cancelled.
    ///
    /// - Returns: a fence; a read that carries it sees the change for certain.
    /// - Throws: ``CacheError`` with `notConfirmed` when the store has not confirmed within ``CacheConfiguration/invalidationTimeLimit``.
    ///   The invalidation then stays journaled and is repeated until it is delivered. `CancellationError`: as before, its outcome is
    ///   unknown.
    @discardableResult
    public func invalidate(key: String) async throws -> CacheFence {
        try await self.invalidate([.key(key)])
    }

    /// As ``invalidate(key:)``, for several keys in one round trip.
    @discardableResult
    public func invalidate(keys: some Sequence<String>) async throws -> CacheFence {
        try await self.invalidate(keys.map { .key($0) })
    }

    /// Ends all entries that carry `tag`, in one step whatever their number. Promises as ``invalidate(key:)`` does.
    @discardableResult
    public func invalidate(tag: String) async throws -> CacheFence {
        try await self.invalidate(tags: [tag])
    }

    /// As ``invalidate(tag:)``, for several tags in one round trip.
    @discardableResult
    public func invalidate(tags: some Sequence<String>) async throws -> CacheFence {
        let names = Array(tags)
        _ = try self.checkedTags(Array(names.prefix(254)))
        for name in names.dropFirst(254) { _ = try self.checkedTags([name]) }
        return try await self.invalidate(names.map { .tag($0) })
    }

    /// Ends all values of this cache's namespace, in one step. Other namespaces and counters stay.
    @discardableResult
    public func invalidateAll() async throws -> CacheFence {
        try await self.invalidate([.tag("")])
    }

    /// Writes a value to its source of truth and to the cache, so that neither a concurrent load nor a concurrent update can leave an older
    /// value in the cache: the lease is taken by force, then `write` runs, then its result is stored if the lease still stands, and
    /// else the entry is removed.
    ///
    /// `write` runs even when the store is down; it must have committed when it returns.
    ///
    /// - Throws: what `write` throws, after the entry has been removed since the outcome of `write` is not known; ``CacheError`` with
    ///   `notConfirmed` when the value is written but the cache could not be told, `valueTooLarge`, `encodingFailed`, `invalidTag`.
    @discardableResult
    public func update<Value: Codable & Sendable>(
        _ key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [], codec: CacheCodec<Value>? = nil,
        write: @Sendable () async throws -> Value
    ) async throws -> Value {
        let names = try self.checkedTags(tags)
        var random = self.configuration.random
        let token = LeaseToken.random(using: &random)
        let stamps = await self.seize(key, token: token, tags: names)
        let value: Value
        do {
            value = try await write()
        } catch {
            _ = try? await self.invalidate(key: key)
            throw error
        }
        guard let stamps, let life = self.life(expiresIn) else {
            try await self.invalidate(key: key)
            return value
        }
        var refusal: CacheError?
        do {
            let record = try self.record(value, key, stamps, self.coding(codec))
            if try await self.store.commit(self.key(key), token: token, record: record, life: life) == .stored { return value }
        } catch let error as CacheError where error.code == .valueTooLarge || error.code == .encodingFailed {
            refusal = error
        } catch {
            self.storeFailed(error, verb: "commit")
        }
        try await self.invalidate(key: key)
        if let refusal { throw refusal }
        return value
    }

    /// Takes the lease by force and captures the tags' epochs; `nil` when the store is down.
    private func seize(_ key: String, token: LeaseToken, tags: [String]) async -> [TagStamp]? {
        do {
            try await self.invalidator.settle()
            try await self.store.seize(self.key(key), token: token, lease: self.configuration.loadTimeLimit)
            return try await self.stamps(tags)
        } catch {
            self.storeFailed(error, verb: "seize")
            return nil
        }
    }

    private func invalidate(_ targets: [InvalidationTarget]) async throws -> CacheFence {
        let fence = CacheFence(id: self.configuration.random.next(), targets: targets)
        guard !targets.isEmpty else { return fence }
        try await self.invalidator.invalidate(targets)
        return fence
    }
}
