import CacheKit
import ScaleTesting

extension CacheStoreConformance {
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
                case "expire": _ = try await subject.store.expire(key, nonce: RecordNonce(bits: 1))
                default: try await subject.store.abandon(key, token: token)
                }
                try expectEqual(try await subject.commit("loaded", at: name, token), .refused, "after \(interference)")
            }
        },
        Check(name: "a lease where nothing was counts as absent and can be filled", requirement: .none) { subject in
            let token = try subject.token()
            try expectEqual(try await subject.begin("k", token), .granted)
            try expectEqual(try await subject.text("k"), nil)
            guard case .record(let record) = try await subject.entry("k") else { throw TestFailure("no lease is stored") }
            try expectEqual(record.isEmpty, true)
            try expectEqual(record.lease, token)
            try expectEqual(try await subject.commit("v", at: "k", token), .stored)
            try expectEqual(try await subject.text("k"), "v")
            try expectEqual(try await subject.commit("w", at: "k", token), .refused, "a lease fills once")
        },
        Check(name: "one lease is live at a time", requirement: .none) { subject in
            let first = try subject.token()
            let second = try subject.token()
            try expectEqual(try await subject.begin("k", first), .granted)
            guard case .held(let holder, let remaining) = try await subject.begin("k", second) else {
                throw TestFailure("a second lease was granted")
            }
            try expectEqual(holder, first)
            try expect(remaining > .zero && remaining <= .seconds(30), "remaining is \(remaining)")
            try await subject.store.abandon(subject.key("k"), token: second)
            try expectEqual(try await subject.commit("v", at: "k", first), .stored, "a stranger's abandon changes nothing")
        },
        Check(name: "begin on what has changed is refused", requirement: .none) { subject in
            let seen = try await subject.entry("k").sighting
            try await subject.put("v", at: "k")
            let answer = try await subject.store.begin(subject.key("k"), seen: seen, token: try subject.token(), lease: .seconds(1))
            try expectEqual(answer, .changed)
        },
        Check(name: "a lease whose holder died can be taken over, and the dead holder's fill is refused", requirement: .none) { subject in
            let dead = try subject.token()
            try expectEqual(try await subject.begin("k", dead, lease: .milliseconds(50)), .granted)
            try await subject.passTime(.milliseconds(60))
            let heir = try subject.token()
            try expectEqual(try await subject.begin("k", heir), .granted)
            try expectEqual(try await subject.commit("late", at: "k", dead), .refused)
            try expectEqual(try await subject.commit("v", at: "k", heir), .stored)
        },
        Check(name: "a record lives at least as long as the lease on it", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: .milliseconds(50))
            let token = try subject.token()
            try expectEqual(try await subject.begin("k", token, lease: .seconds(30)), .granted)
            try await subject.passTime(.milliseconds(60))
            try expectEqual(try await subject.commit("w", at: "k", token), .stored)
        },
        Check(name: "seize takes the lease from its holder and leaves the value readable", requirement: .none) { subject in
            try await subject.put("v", at: "k")
            let loser = try subject.token()
            _ = try await subject.begin("k", loser)
            let token = try subject.token()
            try await subject.store.seize(subject.key("k"), token: token, lease: .seconds(30))
            try expectEqual(try await subject.text("k"), "v")
            try expectEqual(try await subject.commit("x", at: "k", loser), .refused)
            try expectEqual(try await subject.commit("w", at: "k", token), .stored)
        },
    ]
}
