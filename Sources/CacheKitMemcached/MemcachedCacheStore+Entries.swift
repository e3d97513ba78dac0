public import CacheKit
import ScaleCore

/// Reading, writing and removing entries.
extension MemcachedCacheStore {
    public func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        let names = keys.map { WireName.of($0) } + tags.map { WireName.of($0) }
        let items = try await self.read(names, keys: keys.map(\.name) + tags.map { _ in nil })
        let now = self.time.utcNow()
        return StoreReading(
            entries: items.prefix(keys.count).map { FoundEntry($0, at: now).entry },
            epochs: items.dropFirst(keys.count).map { $0.flatMap { BigEndian.integer(UInt64.self, $0.bytes) }.map(TagEpoch.init(bits:)) })
    }

    public func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        let now = self.time.utcNow()
        var results: [Result<Void, CacheError>] = []
        for write in writes {
            let name = WireName.of(write.key)
            let item = NewItem(write.record.stamped(write.life, at: now), at: now)
            do throws(CacheError) {
                try self.checkSize(item, write.key)
                try await self.writer(of: name).set(name, item, place: self.place(write.key))
                results.append(.success(()))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    public func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        let now = self.time.utcNow()
        let item = NewItem(write.record.stamped(write.life, at: now), at: now)
        try self.checkSize(item, write.key)
        return try await self.change(write.key) { found in
            found.entry.sighting == seen ? .put(item, .stored) : .answer(.changed)
        }
    }

    public func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        let now = self.time.utcNow()
        return try await self.change(key) { found in
            guard found.entry.sighting == seen else { return .answer(.changed) }
            switch found.entry {
            case .absent, .unreadable: return .answer(.changed)
            case .record(let record): return .put(NewItem(record.stamped(life, at: now), at: now), .stored)
            case .counter(let value):
                return .put(NewItem(counter: value, until: CounterEnd(of: life, at: now), at: now), .stored)
            }
        }
    }

    public func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        var removed: [Bool] = []
        for key in keys {
            removed.append(
                try await self.changeOrDelete(key) { found in
                    switch found.entry {
                    case .absent: .remove(false)
                    case .record(let record): .remove(!record.isEmpty)
                    case .counter, .unreadable: .remove(true)
                    }
                })
        }
        return removed
    }

    public func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        let now = self.time.utcNow()
        return try await self.changeOrDelete(key) { found in
            guard case .record(var record) = found.entry else { return .answer(false) }
            if record.isEmpty { return .remove(false) }
            record.freshUntil = 0
            record.nonce = nonce
            record.lease = nil
            record.leaseDeadline = 0
            return .put(NewItem(record, at: now), true)
        }
    }

    // MARK: Steps

    /// One atomic step on what is stored at a key.
    func change<Answer: Sendable>(
        _ key: CacheKey, _ decide: @escaping @Sendable (FoundEntry) throws(CacheError) -> StoreStep<Answer>
    ) async throws -> Answer {
        let name = WireName.of(key)
        let time = self.time
        return try await self.writer(of: name).change(name, place: self.place(key)) { item throws(CacheError) in
            try decide(FoundEntry(item, at: time.utcNow()))
        }
    }

    /// The same for invalidations, which must succeed: where others write too often, or the server has no memory for the
    /// step, the entry is deleted, whatever it has become.
    private func changeOrDelete(
        _ key: CacheKey, _ decide: @escaping @Sendable (FoundEntry) throws(CacheError) -> StoreStep<Bool>
    ) async throws -> Bool {
        let name = WireName.of(key)
        let now = self.time.utcNow()
        return try await self.writer(of: name).changeOrDelete(name, place: self.place(key)) { item throws(CacheError) in
            try decide(FoundEntry(item, at: now))
        }
    }
}
