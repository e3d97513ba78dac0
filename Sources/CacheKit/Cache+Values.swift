import Metrics
import ScaleCore

extension Cache {
    /// The value at `key`, or `nil` when there is none. For a cached `nil` ask for an optional type: `get("k", as: Profile?.self)` is then
    /// `.some(nil)`. A store that is down is a miss.
    ///
    /// - Throws: ``CacheError`` with `wrongKind` where a counter is stored; `CancellationError`.
    public func get<Value: Codable & Sendable>(
        _ key: String, as type: Value.Type = Value.self, codec: CacheCodec<Value>? = nil
    ) async throws -> Value? {
        if let value: Value = self.memoryHit(key) { return value }
        let found = try await self.getMany([key], as: type, codec: codec)
        return found[key]
    }

    /// The values at `keys` by key; keys without one are absent. One round trip, and a second one where tags must be looked up.
    /// Keys that differ only in their bytes, and are equal as Swift strings, share a place in the result.
    ///
    /// - Throws: as ``get(_:as:codec:)``.
    public func getMany<Value: Codable & Sendable>(
        _ keys: some Sequence<String>, as type: Value.Type = Value.self, codec: CacheCodec<Value>? = nil
    ) async throws -> [String: Value] {
        let names = Array(keys)
        guard !names.isEmpty else { return [:] }
        let coding = self.coding(codec)
        var values: [String: Value] = [:]
        do {
            for (name, sight) in zip(names, try await self.sights(of: names)) {
                switch sight {
                case .fresh(let record): values[name] = coding.decode(record)
                case .counter: throw CacheError.counterReadAsValue(key: name)
                case .needsEpochs, .stale: break
                }
            }
        } catch let error as CacheError where error.code == .wrongKind {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            self.storeFailed(error, verb: "read")
            return [:]
        }
        self.metrics.hits.increment(by: values.count)
        self.metrics.misses.increment(by: names.count - values.count)
        return values
    }

    /// Whether a value (a cached `nil` too) or a counter is at `key`. `false` when the store is down.
    public func contains(_ key: String) async throws -> Bool {
        do {
            return try await self.sights(of: [key]).first?.isLive ?? false
        } catch let error as CancellationError {
            throw error
        } catch {
            self.storeFailed(error, verb: "read")
            return false
        }
    }

    /// Stores a value whatever is stored, and takes the lease from a load that is under way.
    ///
    /// For values that have no other source of truth. A value that is also written to a database belongs into
    /// ``update(_:expiresIn:tags:codec:write:)``, or is invalidated after the commit: of two nodes that set what they wrote, the one that
    /// wrote first may set last.
    ///
    /// - Parameter expiresIn: `nil`: forever. Zero or less: the key is removed.
    /// - Throws: ``CacheError`` with `valueTooLarge` or `encodingFailed` (an older value is removed then, since it is not the current one),
    ///   `invalidTag`, or `storeUnavailable`.
    public func set<Value: Codable & Sendable>(
        _ value: Value, for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [],
        codec: CacheCodec<Value>? = nil
    ) async throws {
        let failures = try await self.setMany([key: value], expiresIn: expiresIn, tags: tags, codec: codec)
        if let failure = failures[key] { throw failure }
    }

    /// Stores values as ``set(_:for:expiresIn:tags:codec:)`` does, in one round trip.
    ///
    /// - Returns: the error of each key that could not be stored, whose older value is then removed. Empty when all were stored.
    /// - Throws: ``CacheError`` with `invalidTag`, or `storeUnavailable` when nothing is known of any key.
    @discardableResult
    public func setMany<Value: Codable & Sendable>(
        _ values: [String: Value], expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [],
        codec: CacheCodec<Value>? = nil
    ) async throws -> [String: CacheError] {
        let names = try self.checkedTags(tags)
        guard !values.isEmpty else { return [:] }
        guard let life = self.life(expiresIn) else {
            _ = try await self.remove(Array(values.keys))
            return [:]
        }
        let coding = self.coding(codec)
        return try await self.reportingStoreFailures("set") {
            // A removal that is still owed would take away what is stored now.
            try await self.invalidator.settle()
            let stamps = try await self.stamps(names)
            var failures: [String: CacheError] = [:]
            var writes: [StoreWrite] = []
            for (key, value) in values {
                do throws(CacheError) {
                    writes.append(StoreWrite(key: self.key(key), record: try self.record(value, key, stamps, coding), life: life))
                } catch {
                    failures[key] = error
                }
            }
            if !writes.isEmpty {
                for (write, result) in zip(writes, try await self.store.write(writes)) {
                    if case .failure(let error) = result { failures[write.key.name] = error }
                }
            }
            if !failures.isEmpty { _ = try await self.store.remove(failures.keys.map { self.key($0) }) }
            return failures
        }
    }

    /// Stores a value only if none is there. Whether it did; `true` and nothing stored when `expiresIn` is zero or less and none was there.
    ///
    /// - Throws: as ``set(_:for:expiresIn:tags:codec:)``; what was stored stays.
    public func add<Value: Codable & Sendable>(
        _ value: Value, for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [],
        codec: CacheCodec<Value>? = nil
    ) async throws -> Bool {
        try await self.setConditionally(value, for: key, ifPresent: false, expiresIn: expiresIn, tags: tags, codec: codec)
    }

    /// Stores a value only if one is there, which is removed when `expiresIn` is zero or less. Whether it did.
    ///
    /// - Throws: as ``add(_:for:expiresIn:tags:codec:)``.
    public func replace<Value: Codable & Sendable>(
        _ value: Value, for key: String, expiresIn: Duration? = Cache.configuredExpiry, tags: [String] = [],
        codec: CacheCodec<Value>? = nil
    ) async throws -> Bool {
        try await self.setConditionally(value, for: key, ifPresent: true, expiresIn: expiresIn, tags: tags, codec: codec)
    }

    /// Gives the entry at `key` a new life, counted from now. Whether there was one; zero or less removes it.
    ///
    /// - Throws: ``CacheError`` with `storeUnavailable`.
    public func touch(_ key: String, expiresIn: Duration? = Cache.configuredExpiry) async throws -> Bool {
        guard let life = self.life(expiresIn) else { return try await self.delete(key) }
        return try await self.conditionally("touch", key) { entry, isLive in
            guard isLive else { return false }
            return try await self.store.touch(self.key(key), seen: entry.sighting, life: life) == .stored ? true : nil
        }
    }

    /// Removes the entry at `key` and keeps loads that are under way from being stored. Whether there was one.
    ///
    /// Where only that matters, ``invalidate(key:)`` does it in one round trip.
    ///
    /// - Throws: ``CacheError`` with `notConfirmed`: the removal stays journaled.
    @discardableResult
    public func delete(_ key: String) async throws -> Bool {
        // Whether there was a live value is known only from its tags' epochs. The removal does not depend on it.
        let wasLive = try? await self.sights(of: [key]).first?.isLive
        try await self.invalidator.invalidate([.key(key)])
        return wasLive ?? false
    }

    /// Removes the entries at `keys`, in one round trip.
    ///
    /// - Throws: ``CacheError`` with `notConfirmed`: the removal stays journaled.
    public func deleteMany(_ keys: some Sequence<String>) async throws {
        try await self.remove(Array(keys))
    }

    // MARK: Steps

    private func remove(_ names: [String]) async throws {
        guard !names.isEmpty else { return }
        try await self.invalidator.invalidate(names.map { .key($0) })
    }

    /// The fresh value in this process's memory, counted as a hit.
    func memoryHit<Value: Sendable>(_ key: String) -> Value? {
        guard self.hasMemory, !self.invalidator.isOwing, let value = self.memory.peek(key, in: self.space)?.value(as: Value.self)
        else { return nil }
        self.metrics.hits.increment()
        return value
    }

    func stamps(_ names: [String]) async throws -> [TagStamp] {
        let epochs = try await self.store.epochs(of: self.storeTags(names))
        return zip(names, epochs).map { TagStamp(name: $0, epoch: $1) }
    }

    func record<Value>(
        _ value: Value, _ key: String, _ stamps: [TagStamp], _ coding: ValueCoding<Value>
    ) throws(CacheError) -> CacheRecord {
        let (flags, body) = try coding.encode(value, key: key)
        return CacheRecord(flags: flags, nonce: self.newNonce(), schema: coding.schema, tags: stamps, body: body)
    }

    /// What is at the keys, judged by the epochs of all tags that the entries carry.
    private func sights(of names: [String]) async throws -> [Sight] {
        try await self.entries(of: names).map(\.sight)
    }

    private func entries(of names: [String]) async throws -> [(entry: StoredEntry, sight: Sight)] {
        try await self.invalidator.settle()
        let reading = try await self.store.read(names.map { self.key($0) }, epochs: self.storeTags([""]))
        var epochs: [ExactName: TagEpoch?] = ["": reading.epochs.first ?? nil]
        var missing: Set<ExactName> = []
        let now = self.configuration.time.utcNow().millisecondsSinceEpoch
        for entry in reading.entries {
            if case .needsEpochs(let names) = Sight.judge(entry, epochs: epochs, nowMilliseconds: now) {
                missing.formUnion(names.map { ExactName($0) })
            }
        }
        if !missing.isEmpty {
            let names = missing.map(\.text)
            let more = try await self.store.read([], epochs: self.storeTags(names))
            for (name, epoch) in zip(names, more.epochs) { epochs[name: name] = .some(epoch) }
        }
        return reading.entries.map { ($0, Sight.judge($0, epochs: epochs, nowMilliseconds: now)) }
    }

    private func setConditionally<Value: Codable & Sendable>(
        _ value: Value, for key: String, ifPresent: Bool, expiresIn: Duration?, tags: [String], codec: CacheCodec<Value>?
    ) async throws -> Bool {
        let names = try self.checkedTags(tags)
        let life = self.life(expiresIn)
        let coding = self.coding(codec)
        return try await self.conditionally(ifPresent ? "replace" : "add", key) { entry, isLive in
            guard isLive == ifPresent else { return false }
            guard let life else {
                if ifPresent { try await self.remove([key]) }
                return true
            }
            let record = try self.record(value, key, try await self.stamps(names), coding)
            let write = StoreWrite(key: self.key(key), record: record, life: life)
            return try await self.store.write(write, seen: entry.sighting) == .stored ? true : nil
        }
    }

    /// Reads, then lets `step` write on exactly what was read; again when it has changed in between (`nil`).
    private func conditionally(
        _ verb: String, _ name: String, _ step: (StoredEntry, Bool) async throws -> Bool?
    ) async throws -> Bool {
        try await self.reportingStoreFailures(verb) {
            for _ in 0..<32 {
                guard let (entry, sight) = try await self.entries(of: [name]).first else { break }
                if let done = try await step(entry, sight.isLive) { return done }
            }
            throw CacheError(code: .storeUnavailable, message: "the entry changed under each of 32 attempts", key: name)
        }
    }

    /// Throws what a store throws as ``CacheError``, and counts it.
    func reportingStoreFailures<Result>(_ verb: String, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch {
            let error = CacheError.from(error, key: nil)
            if error.code == .storeUnavailable { self.storeFailed(error, verb: verb) }
            throw error
        }
    }
}

extension Sight {
    /// Whether a value or counter is there.
    var isLive: Bool {
        switch self {
        case .fresh, .counter: true
        case .needsEpochs, .stale: false
        }
    }
}
