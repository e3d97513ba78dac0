import CacheKit
import ScaleTesting

extension CacheStoreConformance.Subject {
    func key(_ name: String) -> CacheKey { CacheKey(namespace: self.namespace, name: name) }

    func tag(_ name: String) -> CacheTag { CacheTag(namespace: self.namespace, name: name) }

    func record(_ text: String, tags: [TagStamp] = []) -> CacheRecord {
        CacheRecord(nonce: RecordNonce(bits: .random(in: .min ... .max)), schema: 7, tags: tags, body: .bytes(Array(text.utf8)))
    }

    func token() throws -> LeaseToken {
        var generator = SystemRandomNumberGenerator()
        return LeaseToken.random(using: &generator)
    }

    func entry(_ name: String) async throws -> StoredEntry {
        try require(try await self.store.read([self.key(name)], epochs: []).entries.first)
    }

    /// The text of the record at a name; `nil` where there is none.
    func text(_ name: String) async throws -> String? {
        guard case .record(let record) = try await self.entry(name), !record.isEmpty, case .bytes(let bytes) = record.body else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func put(_ text: String, at name: String, life: Duration? = nil) async throws {
        let results = try await self.store.write([StoreWrite(key: self.key(name), record: self.record(text), life: CacheLife(life))])
        for result in results { try result.get() }
    }

    func begin(_ name: String, _ token: LeaseToken, lease: Duration = .seconds(30)) async throws -> BeginAnswer {
        let seen = try await self.entry(name).sighting
        return try await self.store.begin(self.key(name), seen: seen, token: token, lease: lease)
    }

    func commit(_ text: String, at name: String, _ token: LeaseToken) async throws -> CommitAnswer {
        try await self.store.commit(self.key(name), token: token, record: self.record(text), life: CacheLife(nil))
    }
}
