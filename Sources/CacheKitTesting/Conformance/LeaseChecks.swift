import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    /// Begin, commit, abandon and seize: a load may replace exactly what it saw.
    static let leaseChecks: [Check] = [
        Check(name: "a fill replaces nothing but what its load saw", requirement: .none) { subject in
            for interference in ["remove", "set", "expire", "abandon"] {
                let name = "k-\(interference)"
                let key = subject.key(name)
                try await subject.put("old", at: name)
                let token = try subject.token()
                try expectEqual(try await subject.begin(name, token), .granted)
                switch interference {
                case "remove": _ = try await subject.store.remove([key])
                case "set": try await subject.put("new", at: name)
                case "expire": _ = try await subject.store.expire(key, nonce: RecordNonce(high: 0, low: 1))
                default: try await subject.store.abandon(key, token: token)
                }
                try expectEqual(try await subject.commit("loaded", at: name, token), .refused, "after \(interference)")
            }
        },
        Check(name: "a lease where nothing was counts as absent and can be filled", requirement: .none) { subject in
            let token = try subject.token()
            try expectEqual(try await subject.begin("k", token), .granted)
            try expectEqual(try await subject.text("k"), nil)
            guard case .record(let lease) = try await subject.entry("k") else { throw TestFailure("no lease is stored") }
            try expectEqual(lease.isEmpty, true)
            try expectEqual(lease.lease, token)
            let stamp = TagStamp(name: "t", epoch: TagEpoch(bits: 3))
            let record = subject.record("v", tags: [stamp])
            let answer = try await subject.store.commit(subject.key("k"), token: token, record: record, life: CacheLife(nil))
            try expectEqual(answer, .stored)
            try subject.expectSame(try await subject.entry("k"), record)
            try expectEqual(try await subject.commit("w", at: "k", token), .refused, "a lease fills once")
        },
        Check(name: "a lease leaves the value that it stands on readable", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            let token = try subject.token()
            try expectEqual(try await subject.begin("k", token), .granted)
            guard case .record(let record) = try await subject.entry("k") else { throw TestFailure("the record is gone") }
            try expectEqual(record.lease, token)
            try expectEqual(try await subject.text("k"), "v")
            try await subject.store.abandon(subject.key("k"), token: token)
            try expectEqual(try await subject.text("k"), "v", "after abandon")
        },
        Check(name: "a value that is committed has the life that was asked for", requirement: .none) { subject in
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            let record = subject.record("v")
            let answer = try await subject.store.commit(
                subject.key("k"), token: token, record: record, life: CacheLife(subject.span * 4))
            try expectEqual(answer, .stored)
            try await subject.passTime(subject.span * 3)
            try expectEqual(try await subject.text("k"), "v")
            try await subject.passTime(subject.span)
            try expectEqual(try await subject.text("k"), nil)
        },
        Check(name: "one lease is live at a time", requirement: .none) { subject in
            let first = try subject.token()
            let second = try subject.token()
            try expectEqual(try await subject.begin("k", first), .granted)
            guard case .held(let holder, let remaining) = try await subject.begin("k", second) else {
                throw TestFailure("a second lease was granted")
            }
            try expectEqual(holder, first)
            try expect(remaining > .zero && remaining <= subject.span * 2, "remaining is \(remaining)")
            try await subject.store.abandon(subject.key("k"), token: second)
            try expectEqual(try await subject.commit("v", at: "k", first), .stored, "a stranger's abandon changes nothing")
        },
        Check(name: "a lease that is given back can be taken at once", requirement: .none) { subject in
            for name in ["absent", "present"] {
                if name == "present" { try await subject.put("v", at: name) }
                let first = try subject.token()
                try expectEqual(try await subject.begin(name, first), .granted)
                try await subject.store.abandon(subject.key(name), token: first)
                try expectEqual(try await subject.begin(name, try subject.token()), .granted, name)
            }
        },
        Check(name: "begin on what has changed is refused", requirement: .none) { subject in
            let absent = try await subject.entry("k").sighting
            try await subject.put("v", at: "k")
            let present = try await subject.entry("k").sighting
            let answer = try await subject.store.begin(subject.key("k"), seen: absent, token: try subject.token(), lease: subject.span)
            try expectEqual(answer, .changed)
            _ = try await subject.store.remove([subject.key("k")])
            let late = try await subject.store.begin(subject.key("k"), seen: present, token: try subject.token(), lease: subject.span)
            try expectEqual(late, .changed, "after a removal")
            guard case .absent = try await subject.entry("k") else { throw TestFailure("a refused begin has left something") }
        },
        Check(name: "a lease whose holder died can be taken over, and the dead holder's fill is refused", requirement: .none) { subject in
            for name in ["absent", "present"] {
                if name == "present" { try await subject.put("v", at: name) }
                let dead = try subject.token()
                try expectEqual(try await subject.begin(name, dead, lease: subject.span), .granted)
                try await subject.passTime(subject.span)
                let heir = try subject.token()
                try expectEqual(try await subject.begin(name, heir), .granted)
                try expectEqual(try await subject.commit("late", at: name, dead), .refused)
                try expectEqual(try await subject.commit("v", at: name, heir), .stored)
            }
        },
        Check(name: "a record lives at least as long as the lease on it", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: subject.span)
            let token = try subject.token()
            try expectEqual(try await subject.begin("k", token, lease: subject.span * 3), .granted)
            try await subject.passTime(subject.span * 2)
            try expectEqual(try await subject.commit("w", at: "k", token), .stored)
        },
        Check(name: "seize takes the lease from its holder and leaves the value readable", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            let loser = try subject.token()
            _ = try await subject.begin("k", loser)
            let token = try subject.token()
            try await subject.store.seize(subject.key("k"), token: token, lease: subject.span)
            try expectEqual(try await subject.text("k"), "v")
            try expectEqual(try await subject.commit("x", at: "k", loser), .refused)
            try expectEqual(try await subject.commit("w", at: "k", token), .stored)
        },
        Check(name: "seize takes a lease where nothing is stored", requirement: .none) { subject in
            let token = try subject.token()
            try await subject.store.seize(subject.key("k"), token: token, lease: subject.span)
            try expectEqual(try await subject.text("k"), nil)
            guard case .held = try await subject.begin("k", try subject.token()) else {
                throw TestFailure("a lease was granted beside one taken by force")
            }
            try expectEqual(try await subject.commit("w", at: "k", token), .stored)
        },
    ]
}
