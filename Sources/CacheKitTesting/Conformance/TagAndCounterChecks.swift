import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    static let tagChecks: [Check] = [
        Check(name: "an epoch is the same for all until its tag is invalidated", requirement: .none) { subject in
            let tags = [subject.tag("a"), subject.tag("b")]
            try expectEqual(try await subject.store.read([], epochs: tags).epochs, [nil, nil])
            let first = try await subject.store.epochs(of: tags)
            try expectEqual(try await subject.store.epochs(of: tags), first)
            try expectEqual(try await subject.store.read([], epochs: tags).epochs, first)
            try await subject.store.invalidate([tags[0]])
            let second = try await subject.store.epochs(of: tags)
            try expect(second[0] != first[0], "the invalidated tag keeps its epoch")
            try expectEqual(second[1], first[1])
        },
        Check(name: "invalidating any tag changes its namespace's sequence", requirement: .none) { subject in
            let first = try await subject.store.sequence(of: subject.namespace)
            try expectEqual(try await subject.store.sequence(of: subject.namespace), first)
            try await subject.store.invalidate([subject.tag("a")])
            let second = try await subject.store.sequence(of: subject.namespace)
            try expect(second != first, "the sequence stands")
        },
    ]

    static let counterChecks: [Check] = [
        Check(name: "a counter counts, and keeps its life", requirement: .counters) { subject in
            let key = subject.key("n")
            let life = CacheLife(.milliseconds(50))
            try expectEqual(try await subject.store.increment(key, by: 2, initial: 40, life: life), 42)
            try expectEqual(try await subject.store.increment(key, by: -50, initial: nil, life: CacheLife(nil)), -8)
            try await subject.passTime(.milliseconds(60))
            guard case .absent = try await subject.entry("n") else { throw TestFailure("incrementing gave a new life") }
        },
        Check(name: "a counter that is not there is an error and not created", requirement: .counters) { subject in
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("n"), by: 1, initial: nil, life: CacheLife(nil))
            }
            try expectEqual(error.code, .missingCounter)
            guard case .absent = try await subject.entry("n") else { throw TestFailure("the counter was created") }
        },
        Check(name: "a counter at the end of its range is an error and keeps its value", requirement: .counters) { subject in
            try await subject.store.setCounter(subject.key("n"), to: .max, life: CacheLife(nil))
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("n"), by: 1, initial: nil, life: CacheLife(nil))
            }
            try expectEqual(error.code, .counterOverflow)
            guard case .counter(.max) = try await subject.entry("n") else { throw TestFailure("the counter changed") }
        },
        Check(name: "a value is no counter", requirement: .counters) { subject in
            try await subject.put("5", at: "k")
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("k"), by: 1, initial: 0, life: CacheLife(nil))
            }
            try expectEqual(error.code, .wrongKind)
        },
    ]
}
