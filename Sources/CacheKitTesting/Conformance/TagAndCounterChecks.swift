import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    static let tagChecks: [Check] = [
        Check(name: "an epoch is the same for all until its tag is invalidated", requirement: .none) { subject in
            let tags = [subject.tag("a"), subject.tag("b")]
            try expectEqual(try await subject.store.read([], epochs: tags).epochs, [nil, nil])
            try expectEqual(try await subject.store.read([], epochs: tags).epochs, [nil, nil], "reading has created an epoch")
            let first = try await subject.store.epochs(of: tags)
            try expect(first[0] != first[1], "two tags have one epoch")
            try expectEqual(try await subject.store.epochs(of: tags), first)
            try expectEqual(try await subject.store.read([], epochs: tags).epochs, first)
            try await subject.store.invalidate([tags[0]])
            let second = try await subject.store.epochs(of: tags)
            try expect(second[0] != first[0], "the invalidated tag keeps its epoch")
            try expectEqual(second[1], first[1])
            try await subject.store.invalidate(tags)
            let third = try await subject.store.epochs(of: tags)
            try expect(third[0] != second[0] && third[1] != second[1], "one of two invalidated tags keeps its epoch")
        },
        Check(name: "invalidating a tag leaves entries to be judged by their stamps", requirement: .none) { subject in
            let epoch = try require(try await subject.store.epochs(of: [subject.tag("t")]).first)
            let record = subject.record("v", tags: [TagStamp(name: "t", epoch: epoch)])
            let write = StoreWrite(key: subject.key("k"), record: record, life: CacheLife(nil))
            for result in try await subject.store.write([write]) { try result.get() }
            try await subject.store.invalidate([subject.tag("t")])
            let reading = try await subject.store.read([subject.key("k")], epochs: [subject.tag("t")])
            guard case .record(let read)? = reading.entries.first else { return }
            try expect(reading.epochs != [read.tags.first?.epoch], "the entry is still current")
        },
        Check(name: "invalidating any tag changes its namespace's sequence, and no other's", requirement: .none) { subject in
            let first = try await subject.store.sequence(of: subject.namespace)
            let other = try await subject.store.sequence(of: subject.namespace + "-other")
            try expectEqual(try await subject.store.sequence(of: subject.namespace), first)
            try await subject.store.invalidate([subject.tag("a")])
            let second = try await subject.store.sequence(of: subject.namespace)
            try expect(second != first, "the sequence stands")
            try expectEqual(try await subject.store.sequence(of: subject.namespace + "-other"), other)
        },
    ]

    static let counterChecks: [Check] = [
        Check(name: "a counter counts, and keeps its life", requirement: .counters) { subject in
            let key = subject.key("n")
            try expectEqual(try await subject.store.increment(key, by: 2, initial: 40, life: CacheLife(subject.span)), 42)
            try expectEqual(try await subject.store.increment(key, by: -50, initial: nil, life: CacheLife(nil)), -8)
            try expectEqual(try await subject.store.increment(key, by: 1, initial: 100, life: CacheLife(nil)), -7, "with an initial value")
            guard case .counter(-7) = try await subject.entry("n") else { throw TestFailure("the counter does not read as it counts") }
            try await subject.passTime(subject.span)
            guard case .absent = try await subject.entry("n") else { throw TestFailure("incrementing gave a new life") }
        },
        Check(name: "a counter that is not there is an error and not created", requirement: .counters) { subject in
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("n"), by: 1, initial: nil, life: CacheLife(nil))
            }
            try expectEqual(error.code, .missingCounter)
            guard case .absent = try await subject.entry("n") else { throw TestFailure("the counter was created") }
        },
        Check(name: "a lease without a value is no counter, and gives way to one", requirement: .counters) { subject in
            let key = subject.key("n")
            let token = try subject.token()
            _ = try await subject.begin("n", token)
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(key, by: 1, initial: nil, life: CacheLife(nil))
            }
            try expectEqual(error.code, .missingCounter)
            try expectEqual(try await subject.store.increment(key, by: 1, initial: 5, life: CacheLife(nil)), 6)
            try expectEqual(try await subject.commit("v", at: "n", token), .refused)
        },
        Check(name: "a counter at either end of its range is an error and keeps its value", requirement: .counters) { subject in
            for (end, amount) in [(Int64.max, Int64(1)), (.min, -1), (.max, .max), (.min, .min)] {
                try await subject.store.setCounter(subject.key("n"), to: end, life: CacheLife(nil))
                let error = try await expectThrows(CacheError.self) {
                    try await subject.store.increment(subject.key("n"), by: amount, initial: nil, life: CacheLife(nil))
                }
                try expectEqual(error.code, .counterOverflow)
                guard case .counter(end) = try await subject.entry("n") else { throw TestFailure("the counter changed") }
            }
        },
        Check(name: "a counter that would begin beyond its range is not created", requirement: .counters) { subject in
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("n"), by: 1, initial: .max, life: CacheLife(nil))
            }
            try expectEqual(error.code, .counterOverflow)
            guard case .absent = try await subject.entry("n") else { throw TestFailure("the counter was created") }
        },
        Check(name: "a counter that is set counts on from there, and has the life that was asked for", requirement: .counters) { subject in
            try await subject.put("v", at: "n")
            try await subject.store.setCounter(subject.key("n"), to: 7, life: CacheLife(subject.span))
            try expectEqual(try await subject.store.increment(subject.key("n"), by: 1, initial: nil, life: CacheLife(nil)), 8)
            try await subject.passTime(subject.span)
            guard case .absent = try await subject.entry("n") else { throw TestFailure("the counter has outlived its life") }
        },
        Check(name: "a value is no counter", requirement: .counters) { subject in
            try await subject.put("5", at: "k")
            let error = try await expectThrows(CacheError.self) {
                try await subject.store.increment(subject.key("k"), by: 1, initial: 0, life: CacheLife(nil))
            }
            try expectEqual(error.code, .wrongKind)
            try expectEqual(try await subject.text("k"), "5")
        },
    ]
}
