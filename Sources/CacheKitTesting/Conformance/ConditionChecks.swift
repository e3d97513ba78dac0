import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    /// Verbs that depend on what is stored, apart from leases.
    static let conditionChecks: [Check] = [
        Check(name: "touch gives a new life to what was seen, and only to that", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: subject.span)
            let seen = try await subject.entry("k").sighting
            try expectEqual(try await subject.store.touch(subject.key("k"), seen: seen, life: CacheLife(nil)), .stored)
            try await subject.passTime(subject.span * 2)
            try expectEqual(try await subject.text("k"), "v")
            try expectEqual(try await subject.store.touch(subject.key("k"), seen: seen, life: CacheLife(subject.span)), .stored)
            try await subject.passTime(subject.span)
            try expectEqual(try await subject.text("k"), nil, "a life that was shortened")
            try await subject.put("w", at: "k")
            try expectEqual(try await subject.store.touch(subject.key("k"), seen: seen, life: CacheLife(nil)), .changed)
            try expectEqual(try await subject.store.touch(subject.key("none"), seen: seen, life: CacheLife(nil)), .changed)
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
            _ = try await subject.store.remove([key])
            try expectEqual(try await subject.store.write(next, seen: next.record.sighting), .changed, "after a removal")
        },
        Check(name: "a write on what was seen ends a lease that stands on it", requirement: .none) { subject in
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            let write = StoreWrite(key: subject.key("k"), record: subject.record("1"), life: CacheLife(nil))
            try expectEqual(try await subject.store.write(write, seen: try await subject.entry("k").sighting), .stored)
            try expectEqual(try await subject.commit("2", at: "k", token), .refused)
        },
        Check(name: "remove tells whether a value was there", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            _ = try await subject.begin("lease", try subject.token())
            let keys = ["k", "lease", "none"].map { subject.key($0) }
            try expectEqual(try await subject.store.remove(keys), [true, false, false])
            try expectEqual(try await subject.store.remove(keys), [false, false, false])
            try expectEqual(try await subject.text("k"), nil)
            try expectEqual(try await subject.store.remove([]), [])
        },
        Check(name: "expire keeps the body and ends freshness and lease", requirement: .none) { subject in
            let key = subject.key("k")
            try await subject.put("v", at: "k")
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            let nonce = RecordNonce(high: 4, low: 5)
            try expectEqual(try await subject.store.expire(key, nonce: nonce), true)
            guard case .record(let record) = try await subject.entry("k") else { throw TestFailure("the record is gone") }
            try expectEqual(record.freshUntil, 0)
            try expectEqual(record.nonce, nonce)
            try expectEqual(record.lease, nil)
            try expectEqual(try await subject.text("k"), "v")
            try expectEqual(try await subject.commit("w", at: "k", token), .refused)
        },
        Check(name: "expire tells whether a value was there", requirement: .none) { subject in
            let nonce = RecordNonce(high: 4, low: 5)
            try expectEqual(try await subject.store.expire(subject.key("none"), nonce: nonce), false)
            let token = try subject.token()
            _ = try await subject.begin("lease", token)
            try expectEqual(try await subject.store.expire(subject.key("lease"), nonce: nonce), false)
            try expectEqual(try await subject.commit("v", at: "lease", token), .refused, "after expiring a lease without a value")
        },
    ]
}
