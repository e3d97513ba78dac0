import CacheKit
import Foundation

/// A store that breaks one rule of `CacheStore`, and keeps all others.
struct BrokenStore: CacheStore {
    /// The rule that is broken, as a sentence about the store.
    enum Break: String, CaseIterable, Sendable {
        // Keys and entries.
        case foldsCase, comparesCanonically, trimsKeys, truncatesKeys, joinsNamespaceAndName, sharesTagsBetweenNamespaces
        case answersInAnotherOrder, dropsTags, dropsNegativeFlag, keepsForever, dropsAtOnce, dropsLongLives, failsAllForOne
        case refusesWithoutLimit, writesInFrontOfALease
        // Conditions.
        case touchesWhateverIsThere, touchesOnlyLonger, touchesNothing, writesWhateverIsThere, writesNever, leavesLeaseOnWrite
        case saysAllWasThere, countsLeasesAsValues, removesNothing
        case expiresByRemoving, expiresNothing, keepsNonceOnExpiry, keepsLeaseOnExpiry, saysExpiredWhatWasNotThere
        // Leases.
        case grantsTwice, grantsWhatHasChanged, grantsWithoutToken, showsLeasesAsValues, hidesValuesUnderALease, keepsLeaseForever
        case letsRecordDieUnderItsLease, holdsForTooLong, leavesTracesOfARefusal
        case commitsWithoutToken, commitsTwice, commitsNever, commitsForever, commitsWithoutTags
        case abandonsOthers, abandonsNothing, abandonsTheValueToo
        case seizesNothing, seizesTheValueToo, seizesOnlyWhatIsThere
        // Tags.
        case createsEpochsOnRead, drawsEpochsEachTime, sharesOneEpoch, keepsEpoch, invalidatesOnlyTheFirst, invalidatesAll
        case keepsSequence, drawsSequenceEachTime, changesAllSequences
        // Counters.
        case renewsLifeOnIncrement, createsMissingCounters, beginsAtInitialAlways, wraps, saturates, countsValues, countsFromLeasesNever
        case setsCountersForever
    }

    let broken: Break
    let base: MemoryStore

    var capabilities: CacheStoreCapabilities { self.base.capabilities }

    private func key(_ key: CacheKey) -> CacheKey {
        switch self.broken {
        case .foldsCase: CacheKey(namespace: key.namespace, name: key.name.lowercased())
        case .comparesCanonically: CacheKey(namespace: key.namespace, name: key.name.precomposedStringWithCanonicalMapping)
        case .trimsKeys: CacheKey(namespace: key.namespace, name: key.name.trimmingCharacters(in: .whitespacesAndNewlines))
        case .truncatesKeys: CacheKey(namespace: key.namespace, name: String(key.name.prefix(250)))
        case .joinsNamespaceAndName: CacheKey(namespace: "", name: "\(key.namespace):v:\(key.name)")
        default: key
        }
    }

    private func tag(_ tag: CacheTag) -> CacheTag {
        switch self.broken {
        case .sharesTagsBetweenNamespaces: CacheTag(namespace: "", name: tag.name)
        case .sharesOneEpoch: CacheTag(namespace: tag.namespace, name: "")
        default: tag
        }
    }

    private func life(_ life: CacheLife) -> CacheLife {
        switch self.broken {
        case .keepsForever: CacheLife(nil)
        case .dropsAtOnce: CacheLife(.nanoseconds(0))
        case .dropsLongLives: (life.physical ?? .zero) > .seconds(86_400 * 30) ? CacheLife(.zero) : life
        default: life
        }
    }

    private func record(_ record: CacheRecord) -> CacheRecord {
        var record = record
        if self.broken == .dropsTags { record.tags = [] }
        if self.broken == .dropsNegativeFlag { record.flags = [] }
        return record
    }

    private func stored(_ key: CacheKey) async throws -> StoredEntry {
        try await self.base.read([self.key(key)], epochs: []).entries.first ?? .absent
    }

    private func lease(on key: CacheKey) async throws -> LeaseToken? {
        guard case .record(let record) = try await self.stored(key) else { return nil }
        return record.lease
    }
}

// MARK: - Entries

extension BrokenStore {
    func read(_ keys: [CacheKey], epochs tags: [CacheTag]) async throws -> StoreReading {
        if self.broken == .createsEpochsOnRead { _ = try await self.base.epochs(of: tags) }
        var reading = try await self.base.read(keys.map { self.key($0) }, epochs: tags.map { self.tag($0) })
        if self.broken == .answersInAnotherOrder { reading.entries.sort { "\($0.sighting.bytes)" < "\($1.sighting.bytes)" } }
        reading.entries = reading.entries.map { entry in
            guard case .record(var record) = entry, record.lease != nil else { return entry }
            if self.broken == .hidesValuesUnderALease { record.body = .bytes([]) }
            if self.broken == .showsLeasesAsValues { record.flags = [] }
            return .record(record)
        }
        return reading
    }

    func write(_ writes: [StoreWrite]) async throws -> [Result<Void, CacheError>] {
        if self.broken == .writesInFrontOfALease {
            var results: [Result<Void, CacheError>] = []
            for write in writes {
                let lease = try await self.lease(on: write.key)
                results += try await self.base.write([self.changed(write)])
                if let lease { try await self.replant(lease, write.key) }
            }
            return results
        }
        let results = try await self.base.write(writes.map { self.changed($0) })
        if self.broken == .failsAllForOne, let failure = results.first(where: { if case .failure = $0 { true } else { false } }) {
            _ = try await self.base.remove(writes.map { self.key($0.key) })
            return writes.map { _ in failure }
        }
        guard self.broken == .refusesWithoutLimit else { return results }
        return results.map { result in result.mapError { CacheError(code: $0.code, message: "too large") } }
    }

    private func changed(_ write: StoreWrite) -> StoreWrite {
        StoreWrite(key: self.key(write.key), record: self.record(write.record), life: self.life(write.life))
    }

    private func replant(_ lease: LeaseToken, _ key: CacheKey) async throws {
        let seen = try await self.stored(key).sighting
        _ = try await self.base.begin(self.key(key), seen: seen, token: lease, lease: .seconds(120))
    }

    func write(_ write: StoreWrite, seen: Sighting) async throws -> WriteAnswer {
        switch self.broken {
        case .writesWhateverIsThere:
            _ = try await self.base.write([self.changed(write)])
            return .stored
        case .writesNever:
            return .changed
        case .leavesLeaseOnWrite:
            let lease = try await self.lease(on: write.key)
            let answer = try await self.base.write(self.changed(write), seen: seen)
            if let lease { try await self.replant(lease, write.key) }
            return answer
        default:
            return try await self.base.write(self.changed(write), seen: seen)
        }
    }

    func touch(_ key: CacheKey, seen: Sighting, life: CacheLife) async throws -> WriteAnswer {
        switch self.broken {
        case .touchesWhateverIsThere:
            _ = try await self.base.touch(self.key(key), seen: try await self.stored(key).sighting, life: life)
            return .stored
        case .touchesOnlyLonger where life.physical != nil, .touchesNothing:
            return try await self.stored(key).sighting == seen ? .stored : .changed
        default:
            return try await self.base.touch(self.key(key), seen: seen, life: life)
        }
    }

    func remove(_ keys: [CacheKey]) async throws -> [Bool] {
        switch self.broken {
        case .saysAllWasThere:
            _ = try await self.base.remove(keys.map { self.key($0) })
            return keys.map { _ in true }
        case .countsLeasesAsValues:
            let entries = try await self.base.read(keys.map { self.key($0) }, epochs: []).entries
            _ = try await self.base.remove(keys.map { self.key($0) })
            return entries.map { if case .absent = $0 { false } else { true } }
        case .removesNothing:
            return try await self.base.read(keys.map { self.key($0) }, epochs: []).entries.map { entry in
                if case .record(let record) = entry { !record.isEmpty } else { false }
            }
        default:
            return try await self.base.remove(keys.map { self.key($0) })
        }
    }

    func expire(_ key: CacheKey, nonce: RecordNonce) async throws -> Bool {
        switch self.broken {
        case .expiresByRemoving:
            return try await self.base.remove([self.key(key)]).first ?? false
        case .expiresNothing:
            if case .record(let record) = try await self.stored(key) { return !record.isEmpty }
            return false
        case .keepsNonceOnExpiry:
            guard case .record(let record) = try await self.stored(key) else { return false }
            return try await self.base.expire(self.key(key), nonce: record.nonce)
        case .keepsLeaseOnExpiry:
            let lease = try await self.lease(on: key)
            let was = try await self.base.expire(self.key(key), nonce: nonce)
            if was, let lease { try await self.replant(lease, key) }
            return was
        case .saysExpiredWhatWasNotThere:
            _ = try await self.base.expire(self.key(key), nonce: nonce)
            return true
        default:
            return try await self.base.expire(self.key(key), nonce: nonce)
        }
    }
}

// MARK: - Leases

extension BrokenStore {
    func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        let name = self.key(key)
        switch self.broken {
        case .grantsTwice:
            let answer = try await self.base.begin(name, seen: seen, token: token, lease: lease)
            guard case .held = answer else { return answer }
            try await self.base.seize(name, token: token, lease: lease)
            return .granted
        case .grantsWhatHasChanged:
            return try await self.base.begin(name, seen: try await self.stored(key).sighting, token: token, lease: lease)
        case .grantsWithoutToken:
            return .granted
        case .keepsLeaseForever:
            return try await self.base.begin(name, seen: seen, token: token, lease: .seconds(1_000_000_000))
        case .letsRecordDieUnderItsLease:
            let answer = try await self.base.begin(name, seen: seen, token: token, lease: lease)
            if answer == .granted { _ = try await self.base.touch(name, seen: seen, life: CacheLife(.seconds(1))) }
            return answer
        case .holdsForTooLong:
            let answer = try await self.base.begin(name, seen: seen, token: token, lease: lease)
            if case .held(let holder, let remaining) = answer { return .held(by: holder, remaining: remaining * 1_000) }
            return answer
        case .leavesTracesOfARefusal:
            let answer = try await self.base.begin(name, seen: seen, token: token, lease: lease)
            if answer == .changed { try await self.base.seize(name, token: token, lease: lease) }
            return answer
        default:
            return try await self.base.begin(name, seen: seen, token: token, lease: lease)
        }
    }

    func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        switch self.broken {
        case .seizesNothing: return
        case .seizesTheValueToo: _ = try await self.base.remove([self.key(key)])
        case .seizesOnlyWhatIsThere: if case .absent = try await self.stored(key) { return }
        default: break
        }
        try await self.base.seize(self.key(key), token: token, lease: lease)
    }

    func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        let name = self.key(key)
        var record = self.record(record)
        switch self.broken {
        case .commitsWithoutToken:
            for result in try await self.base.write([StoreWrite(key: name, record: record, life: life)]) { try result.get() }
            return .stored
        case .commitsTwice:
            let answer = try await self.base.commit(name, token: token, record: record, life: life)
            if answer == .stored { try await self.replant(token, key) }
            return answer
        case .commitsNever:
            return .refused
        case .commitsForever:
            return try await self.base.commit(name, token: token, record: record, life: CacheLife(nil))
        case .commitsWithoutTags:
            record.tags = []
        default:
            break
        }
        return try await self.base.commit(name, token: token, record: record, life: self.life(life))
    }

    func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        switch self.broken {
        case .abandonsOthers:
            if let holder = try await self.lease(on: key) { try await self.base.abandon(self.key(key), token: holder) }
        case .abandonsNothing:
            return
        case .abandonsTheValueToo:
            if try await self.lease(on: key) == token { _ = try await self.base.remove([self.key(key)]) }
        default:
            try await self.base.abandon(self.key(key), token: token)
        }
    }
}

// MARK: - Tags and counters

extension BrokenStore {
    func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        if self.broken == .drawsEpochsEachTime { try await self.base.invalidate(tags) }
        return try await self.base.epochs(of: tags.map { self.tag($0) })
    }

    func sequence(of namespace: String) async throws -> UInt64 {
        switch self.broken {
        case .keepsSequence: return 7
        case .drawsSequenceEachTime: return .random(in: .min ... .max)
        case .changesAllSequences: return try await self.base.sequence(of: "")
        default: return try await self.base.sequence(of: namespace)
        }
    }

    func invalidate(_ tags: [CacheTag]) async throws {
        switch self.broken {
        case .keepsEpoch:
            // The sequence alone changes.
            try await self.base.invalidate(tags.map { CacheTag(namespace: $0.namespace, name: "another") })
        case .invalidatesOnlyTheFirst:
            try await self.base.invalidate(Array(tags.prefix(1)))
        case .invalidatesAll:
            try await self.base.invalidate(["a", "b"].flatMap { name in tags.map { CacheTag(namespace: $0.namespace, name: name) } })
        case .changesAllSequences:
            try await self.base.invalidate(tags + [CacheTag(namespace: "", name: "")])
        default:
            try await self.base.invalidate(tags.map { self.tag($0) })
        }
    }

    func increment(_ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife) async throws -> Int64 {
        let name = self.key(key)
        let entry = try await self.stored(key)
        switch (self.broken, entry) {
        case (.renewsLifeOnIncrement, .counter(let value)):
            let (sum, overflow) = value.addingReportingOverflow(amount)
            guard !overflow else { throw CacheError.counterOverflow(key: key.name) }
            try await self.base.setCounter(name, to: sum, life: life)
            return sum
        case (.createsMissingCounters, .absent):
            return try await self.base.increment(name, by: amount, initial: initial ?? 0, life: life)
        case (.beginsAtInitialAlways, .counter) where initial != nil:
            _ = try await self.base.remove([name])
        case (.wraps, .counter(let value)) where value.addingReportingOverflow(amount).overflow:
            try await self.base.setCounter(name, to: value &+ amount, life: life)
            return value &+ amount
        case (.saturates, .counter(let value)) where value.addingReportingOverflow(amount).overflow:
            return value
        case (.countsValues, .record(let record)) where !record.isEmpty:
            try await self.base.setCounter(name, to: 5, life: life)
        case (.countsFromLeasesNever, .record(let record)) where record.isEmpty:
            throw CacheError.valueUsedAsCounter(key: key.name)
        default:
            break
        }
        return try await self.base.increment(name, by: amount, initial: initial, life: self.life(life))
    }

    func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife) async throws {
        let life = self.broken == .setsCountersForever ? CacheLife(nil) : self.life(life)
        try await self.base.setCounter(self.key(key), to: value, life: life)
    }
}
