import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    static let entryChecks: [Check] = [
        Check(name: "a record comes back as it was written", requirement: .none) { subject in
            let stamp = TagStamp(name: "t", epoch: TagEpoch(bits: 9))
            let record = subject.record("a\r\n\0b", tags: [stamp])
            let write = StoreWrite(key: subject.key("k"), record: record, life: CacheLife(.seconds(60)))
            for result in try await subject.store.write([write]) { try result.get() }
            guard case .record(let read) = try await subject.entry("k") else { throw TestFailure("no record at the key") }
            try expectEqual(read.nonce, record.nonce)
            try expectEqual(read.schema, 7)
            try expectEqual(read.tags, [stamp])
            try expectEqual(try await subject.text("k"), "a\r\n\0b")
        },
        Check(name: "keys are compared by their bytes, whatever they hold", requirement: .none) { subject in
            let long = String(repeating: "x", count: 5_000)
            let names = ["", " ", "a b", "a\nb", "a\r\nSET", "k:v", "\u{E9}", "e\u{301}", "K", "k", long + "1", long + "2", "日本"]
            for (index, name) in names.enumerated() { try await subject.put("\(index)", at: name) }
            for (index, name) in names.enumerated() {
                try expectEqual(try await subject.text(name), "\(index)", "key number \(index) of the list")
            }
        },
        Check(name: "namespaces do not meet", requirement: .none) { subject in
            let one = CacheKey(namespace: subject.namespace + "a", name: "b:v:c")
            let other = CacheKey(namespace: subject.namespace + "a:v:b", name: "c")
            for result in try await subject.store.write([StoreWrite(key: one, record: subject.record("1"), life: CacheLife(nil))]) {
                try result.get()
            }
            guard case .absent = try require(try await subject.store.read([other], epochs: []).entries.first) else {
                throw TestFailure("a key of one namespace was found in another")
            }
        },
        Check(name: "an entry is absent once its life is over", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: .milliseconds(50))
            try expectEqual(try await subject.text("k"), "v")
            try await subject.passTime(.milliseconds(50))
            try expectEqual(try await subject.text("k"), nil)
        },
        Check(name: "lives of every length are taken", requirement: .none) { subject in
            for (index, life) in [Duration.nanoseconds(1_000_000), .seconds(86_400 * 40), .seconds(Int64.max)].enumerated() {
                try await subject.put("v", at: "k\(index)", life: life)
            }
            try expectEqual(try await subject.text("k1"), "v")
            try expectEqual(try await subject.text("k2"), "v")
        },
        Check(name: "touch gives a new life to what was seen, and only to that", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: .milliseconds(50))
            let seen = try await subject.entry("k").sighting
            try expectEqual(try await subject.store.touch(subject.key("k"), seen: seen, life: CacheLife(nil)), .stored)
            try await subject.passTime(.milliseconds(60))
            try expectEqual(try await subject.text("k"), "v")
            try await subject.put("w", at: "k")
            try expectEqual(try await subject.store.touch(subject.key("k"), seen: seen, life: CacheLife(nil)), .changed)
        },
        Check(name: "a write on what was seen is refused when it has changed", requirement: .none) { subject in
            let key = subject.key("k")
            let write = StoreWrite(key: key, record: subject.record("1"), life: CacheLife(nil))
            try expectEqual(try await subject.store.write(write, seen: .absent), .stored)
            try expectEqual(try await subject.store.write(write, seen: .absent), .changed)
            let seen = try await subject.entry("k").sighting
            let next = StoreWrite(key: key, record: subject.record("2"), life: CacheLife(nil))
            try expectEqual(try await subject.store.write(next, seen: seen), .stored)
            try expectEqual(try await subject.store.write(next, seen: seen), .changed)
            try expectEqual(try await subject.text("k"), "2")
        },
        Check(name: "remove tells whether a value was there", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            _ = try await subject.begin("lease", try subject.token())
            let keys = ["k", "lease", "none"].map { subject.key($0) }
            try expectEqual(try await subject.store.remove(keys), [true, false, false])
            try expectEqual(try await subject.store.remove(keys), [false, false, false])
        },
        Check(name: "expire keeps the body and ends freshness and lease", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            try expectEqual(try await subject.store.expire(subject.key("k"), nonce: RecordNonce(bits: 5)), true)
            guard case .record(let record) = try await subject.entry("k") else { throw TestFailure("the record is gone") }
            try expectEqual(record.freshUntil, 0)
            try expectEqual(record.nonce, RecordNonce(bits: 5))
            try expectEqual(record.lease, nil)
            try expectEqual(try await subject.commit("w", at: "k", token), .refused)
        },
    ]
}
