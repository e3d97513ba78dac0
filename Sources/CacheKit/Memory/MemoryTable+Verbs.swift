import ScaleCore

/// The verbs of ``CacheStore``, each one step of the table.
extension MemoryTable {
    mutating func read(_ key: CacheKey, at now: Instant, utc: UTCTime) -> StoredEntry {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now) else { return .absent }
        switch self.slots[slot].content {
        case .vacant:
            return .absent
        case .counter(let value):
            return .counter(value)
        case .record(let body):
            let entry = self.slots[slot]
            var record = CacheRecord(flags: entry.flags, nonce: entry.nonce, schema: entry.schema, tags: entry.tags, body: body)
            record.lease = entry.lease
            record.incarnation = entry.incarnation
            // Monotonic ends are told in terms of UTC as it is now, so that a clock that was set neither ends nor revives an entry.
            record.leaseDeadline = Self.utcMilliseconds(of: entry.leaseEnd, at: now, utc: utc)
            record.freshUntil = entry.freshUntil <= now ? 0 : Self.utcMilliseconds(of: entry.freshUntil, at: now, utc: utc)
            record.physicalEnd = Self.utcMilliseconds(of: entry.physicalEnd, at: now, utc: utc)
            return .record(record)
        }
    }

    mutating func epochIfKnown(of tag: CacheTag) -> TagEpoch? {
        self.tags.epoch(of: self.entryKey(tag))
    }

    mutating func epoch(of tag: CacheTag) -> TagEpoch {
        self.tags.epochOrCreate(of: self.entryKey(tag), random: &self.random)
    }

    mutating func sequence(of namespace: String) -> UInt64 {
        self.tags.sequence(of: self.space(namespace), random: &self.random)
    }

    mutating func invalidate(_ tag: CacheTag) {
        self.tags.invalidate(self.entryKey(tag), random: &self.random)
    }

    mutating func begin(
        _ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration, nonce: RecordNonce, at now: Instant
    ) -> BeginAnswer {
        let key = self.entryKey(key)
        let end = now.advanced(by: lease)
        guard let slot = self.find(key, at: now) else {
            guard seen.isAbsent else { return .changed }
            self.put(Self.lease(key, token: token, until: end, nonce: nonce), at: now)
            return .granted
        }
        guard self.sighting(of: slot) == seen else { return .changed }
        if let holder = self.slots[slot].lease, now < self.slots[slot].leaseEnd, holder != token {
            return .held(by: holder, remaining: now.duration(to: self.slots[slot].leaseEnd))
        }
        self.plant(token, until: end, in: slot, at: now)
        return .granted
    }

    mutating func seize(_ key: CacheKey, token: LeaseToken, lease: Duration, nonce: RecordNonce, at now: Instant) {
        let key = self.entryKey(key)
        let end = now.advanced(by: lease)
        if let slot = self.find(key, at: now), case .record = self.slots[slot].content {
            self.plant(token, until: end, in: slot, at: now)
        } else {
            self.put(Self.lease(key, token: token, until: end, nonce: nonce), at: now)
        }
    }

    mutating func commit(
        _ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife, at now: Instant
    ) -> CommitAnswer {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now), self.slots[slot].lease == token else { return .refused }
        self.store(record, at: key, life: life, now: now)
        return .stored
    }

    mutating func abandon(_ key: CacheKey, token: LeaseToken, at now: Instant) {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now), self.slots[slot].lease == token else { return }
        if self.slots[slot].flags.contains(.empty) {
            self.drop(slot)
        } else {
            self.slots[slot].lease = nil
        }
    }

    mutating func remove(_ key: CacheKey, at now: Instant) -> Bool {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now) else { return false }
        defer { self.drop(slot) }
        return self.slots[slot].isCounted
    }

    mutating func expire(_ key: CacheKey, nonce: RecordNonce, at now: Instant) -> Bool {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now), case .record = self.slots[slot].content else { return false }
        if self.slots[slot].flags.contains(.empty) {
            self.drop(slot)
            return false
        }
        self.slots[slot].freshUntil = Instant(nanoseconds: .min)
        self.slots[slot].nonce = nonce
        self.slots[slot].lease = nil
        return true
    }

    mutating func write(_ write: StoreWrite, at now: Instant) {
        self.store(write.record, at: self.entryKey(write.key), life: write.life, now: now)
    }

    mutating func write(_ write: StoreWrite, seen: Sighting, at now: Instant) -> WriteAnswer {
        let key = self.entryKey(write.key)
        guard self.sighting(at: key, now: now) == seen else { return .changed }
        self.store(write.record, at: key, life: write.life, now: now)
        return .stored
    }

    mutating func touch(_ key: CacheKey, seen: Sighting, life: CacheLife, at now: Instant) -> WriteAnswer {
        let key = self.entryKey(key)
        guard let slot = self.find(key, at: now), self.sighting(of: slot) == seen else { return .changed }
        self.update(slot, at: now) { entry in
            entry.freshUntil = Self.end(of: life.fresh, from: now)
            entry.physicalEnd = Self.end(of: life.physical, from: now)
        }
        return .stored
    }

    mutating func increment(
        _ key: CacheKey, by amount: Int64, initial: Int64?, life: CacheLife, at now: Instant
    ) throws(CacheError) -> Int64 {
        let entryKey = self.entryKey(key)
        let slot = self.find(entryKey, at: now)
        var start = initial
        if let slot {
            switch self.slots[slot].content {
            case .counter(let value): start = value
            case .record where !self.slots[slot].flags.contains(.empty): throw .valueUsedAsCounter(key: key.name)
            case .record, .vacant: break
            }
        }
        guard let start else { throw .missingCounter(key: key.name) }
        let (sum, overflow) = start.addingReportingOverflow(amount)
        guard !overflow else { throw .counterOverflow(key: key.name) }
        if let slot, case .counter = self.slots[slot].content {
            self.update(slot, at: now) { $0.content = .counter(sum) }
        } else {
            self.setCounter(entryKey, to: sum, life: life, at: now)
        }
        return sum
    }

    mutating func setCounter(_ key: CacheKey, to value: Int64, life: CacheLife, at now: Instant) {
        self.setCounter(self.entryKey(key), to: value, life: life, at: now)
    }

    // MARK: Steps of the verbs

    private mutating func setCounter(_ key: EntryKey, to value: Int64, life: CacheLife, at now: Instant) {
        var entry = Slot()
        entry.key = key
        entry.content = .counter(value)
        entry.physicalEnd = Self.end(of: life.physical, from: now)
        self.put(entry, at: now)
    }

    private mutating func store(_ record: CacheRecord, at key: EntryKey, life: CacheLife, now: Instant) {
        var entry = Slot()
        entry.key = key
        entry.content = .record(record.body)
        entry.flags = record.flags
        entry.nonce = record.nonce
        entry.freshUntil = Self.end(of: life.fresh, from: now)
        entry.physicalEnd = Self.end(of: life.physical, from: now)
        entry.schema = record.schema
        entry.incarnation = record.incarnation
        entry.tags = record.tags
        self.put(entry, at: now)
    }

    private mutating func plant(_ token: LeaseToken, until end: Instant, in slot: Int, at now: Instant) {
        self.update(slot, at: now) { entry in
            entry.lease = token
            entry.leaseEnd = end
            entry.physicalEnd = max(entry.physicalEnd, end)
        }
    }

    private func sighting(of slot: Int) -> Sighting {
        switch self.slots[slot].content {
        case .vacant: .absent
        case .counter(let value): Sighting(prefix: Array(String(value).utf8))
        case .record: Sighting(flags: self.slots[slot].flags, nonce: self.slots[slot].nonce)
        }
    }

    private mutating func sighting(at key: EntryKey, now: Instant) -> Sighting {
        self.find(key, at: now).map { self.sighting(of: $0) } ?? .absent
    }

    private static func lease(_ key: EntryKey, token: LeaseToken, until end: Instant, nonce: RecordNonce) -> Slot {
        var entry = Slot()
        entry.key = key
        entry.content = .record(.bytes([]))
        entry.flags = [.empty]
        entry.nonce = nonce
        entry.lease = token
        entry.leaseEnd = end
        entry.physicalEnd = end
        return entry
    }

    private static func end(of duration: Duration?, from now: Instant) -> Instant {
        duration.map { now.advanced(by: $0) } ?? .distantFuture
    }

    private static func utcMilliseconds(of end: Instant, at now: Instant, utc: UTCTime) -> Int64 {
        guard end < .distantFuture else { return .max }
        return utc.advanced(by: now.duration(to: end)).millisecondsSinceEpoch
    }
}

extension CacheError {
    /// The error for an increment of a counter that is not there.
    public static func missingCounter(key: String) -> CacheError {
        CacheError(code: .missingCounter, message: "there is no counter to increment", key: key)
    }

    /// The error for an increment beyond 64 bits.
    public static func counterOverflow(key: String) -> CacheError {
        CacheError(code: .counterOverflow, message: "the counter would leave the range of 64-bit integers", key: key)
    }
}
