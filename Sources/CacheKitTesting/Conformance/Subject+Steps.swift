import CacheKit
import ScaleCore
import ScaleTesting

extension CacheStoreConformance.Subject {
    func key(_ name: String) -> CacheKey { CacheKey(namespace: self.namespace, name: name) }

    func tag(_ name: String) -> CacheTag { CacheTag(namespace: self.namespace, name: name) }

    func record(_ text: String, tags: [TagStamp] = []) -> CacheRecord {
        var random = RandomSource.system
        return CacheRecord(nonce: .random(using: &random), schema: 7, tags: tags, body: .bytes(Array(text.utf8)))
    }

    func token() throws -> LeaseToken {
        var random = RandomSource.system
        return LeaseToken.random(using: &random)
    }

    func entry(_ name: String) async throws -> StoredEntry {
        try require(try await self.store.read([self.key(name)], epochs: []).entries.first)
    }

    /// The text of the record at a name; `nil` where there is none.
    func text(_ name: String) async throws -> String? {
        self.text(of: try await self.entry(name))
    }

    func text(of entry: StoredEntry) -> String? {
        guard case .record(let record) = entry, !record.isEmpty, case .bytes(let bytes) = record.body else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Throws unless the entry is what was written: all but the lease and the times, which are the store's.
    func expectSame(_ entry: StoredEntry, _ written: CacheRecord, file: String = #fileID, line: Int = #line) throws {
        guard case .record(let read) = entry else { throw TestFailure("no record at the key", file: file, line: line) }
        try expectEqual(read.flags, written.flags, "flags", file: file, line: line)
        try expectEqual(read.nonce, written.nonce, "nonce", file: file, line: line)
        try expectEqual(read.schema, written.schema, "schema", file: file, line: line)
        try expectEqual(read.incarnation, written.incarnation, "incarnation", file: file, line: line)
        try expectEqual(read.tags, written.tags, "tags", file: file, line: line)
        try expectEqual(read.lease, nil, "lease", file: file, line: line)
        guard case .bytes(let bytes) = read.body, case .bytes(let expected) = written.body else {
            throw TestFailure("the body has changed its form", file: file, line: line)
        }
        try expectEqual(bytes, expected, "body", file: file, line: line)
    }

    func expectTooLarge(_ error: CacheError, name: String, file: String = #fileID, line: Int = #line) throws {
        let limit = self.store.capabilities.maximumValueSize
        try expectEqual(error.code, .valueTooLarge, file: file, line: line)
        try expectEqual(error.limit, limit, "limit", file: file, line: line)
        try expect((error.size ?? 0) > limit, "the error names no size", file: file, line: line)
        try expectEqual(error.key, name, "key", file: file, line: line)
    }

    func put(_ text: String, at name: String, life: Duration? = nil) async throws {
        let results = try await self.store.write([StoreWrite(key: self.key(name), record: self.record(text), life: CacheLife(life))])
        for result in results { try result.get() }
    }

    func begin(_ name: String, _ token: LeaseToken, lease: Duration? = nil) async throws -> BeginAnswer {
        let seen = try await self.entry(name).sighting
        return try await self.store.begin(self.key(name), seen: seen, token: token, lease: lease ?? self.span * 2)
    }

    func commit(_ text: String, at name: String, _ token: LeaseToken) async throws -> CommitAnswer {
        try await self.store.commit(self.key(name), token: token, record: self.record(text), life: CacheLife(nil))
    }
}

extension CacheRecord {
    var sighting: Sighting { Sighting(of: self) }
}
