import CacheKit
import ScaleTesting

extension CacheStoreConformance {
    /// Entries as such: what comes back, under which key, and for how long.
    static let entryChecks: [Check] = [
        Check(name: "a record comes back as it was written", requirement: .none) { subject in
            let stamps = [TagStamp(name: "t", epoch: TagEpoch(bits: 9)), TagStamp(name: "", epoch: TagEpoch(bits: .max))]
            var record = subject.record("a\r\n\0b", tags: stamps)
            record.incarnation = .max
            let write = StoreWrite(key: subject.key("k"), record: record, life: CacheLife(.seconds(3_600)))
            for result in try await subject.store.write([write]) { try result.get() }
            try subject.expectSame(try await subject.entry("k"), record)
            try expectEqual(try await subject.text("k"), "a\r\n\0b")
        },
        Check(name: "a cached nothing comes back as one", requirement: .none) { subject in
            var record = subject.record("")
            record.flags = .negative
            let write = StoreWrite(key: subject.key("k"), record: record, life: CacheLife(nil))
            for result in try await subject.store.write([write]) { try result.get() }
            try subject.expectSame(try await subject.entry("k"), record)
        },
        Check(name: "answers come in the order of the keys and tags asked for", requirement: .none) { subject in
            try await subject.put("1", at: "a")
            try await subject.put("2", at: "b")
            let epochs = try await subject.store.epochs(of: [subject.tag("t"), subject.tag("u")])
            let reading = try await subject.store.read(
                ["b", "none", "a", "b"].map { subject.key($0) }, epochs: ["u", "none", "t"].map { subject.tag($0) })
            try expectEqual(reading.entries.map { subject.text(of: $0) }, ["2", nil, "1", "2"])
            try expectEqual(reading.epochs, [epochs[1], nil, epochs[0]])
            let nothing = try await subject.store.read([], epochs: [])
            try expect(nothing.entries.isEmpty && nothing.epochs.isEmpty, "something comes back for nothing")
        },
        Check(name: "keys are compared by their bytes, whatever they hold", requirement: .none) { subject in
            let long = String(repeating: "x", count: 5_000)
            let names = [
                "", " ", "a b", "a\nb", "a\r\nSET", "k:v", "\u{E9}", "e\u{301}", "K", "k", "k ", long + "1", long + "2", "日本", "a\0b",
            ]
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
            let tags = ["a", "a:t:b"].map { CacheTag(namespace: subject.namespace + $0, name: "b:t:c") }
            let epochs = try await subject.store.epochs(of: tags)
            try expect(epochs[0] != epochs[1], "a tag of one namespace was found in another")
        },
        Check(name: "an entry is absent once its life is over", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: subject.span)
            try await subject.put("w", at: "longer", life: subject.span * 3)
            try expectEqual(try await subject.text("k"), "v")
            try await subject.passTime(subject.span)
            try expectEqual(try await subject.text("k"), nil)
            try expectEqual(try await subject.text("longer"), "w", "an entry of a longer life")
        },
        Check(name: "lives of every length are taken", requirement: .none) { subject in
            let lives: [Duration] = [.nanoseconds(1), .milliseconds(1), .seconds(86_400 * 40), .seconds(Int64.max)]
            for (index, life) in lives.enumerated() { try await subject.put("v", at: "k\(index)", life: life) }
            try await subject.passTime(subject.span)
            try expectEqual(try await lives.indices.mapInOrder { try await subject.text("k\($0)") }, [nil, nil, "v", "v"])
        },
        Check(name: "a write replaces entry, life and lease", requirement: .none) { subject in
            try await subject.put("v", at: "k", life: subject.span)
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            try await subject.put("w", at: "k")
            try await subject.passTime(subject.span)
            try expectEqual(try await subject.text("k"), "w")
            try expectEqual(try await subject.commit("x", at: "k", token), .refused)
        },
        Check(name: "a value over the limit is an error with limit and size, and harms no other", requirement: .reachableLimit) { subject in
            let limit = subject.store.capabilities.maximumValueSize
            let large = String(repeating: "x", count: limit + 1)
            let writes = [("a", "1"), ("large", large), ("b", "2")].map { name, text in
                StoreWrite(key: subject.key(name), record: subject.record(text), life: CacheLife(nil))
            }
            let results = try await subject.store.write(writes)
            try expectEqual(results.count, 3)
            let error = try await expectThrows(CacheError.self) { try results[1].get() }
            try subject.expectTooLarge(error, name: "large")
            try expectEqual(try await subject.text("a"), "1")
            try expectEqual(try await subject.text("b"), "2")
            let token = try subject.token()
            _ = try await subject.begin("k", token)
            let refusal = try await expectThrows(CacheError.self) { try await subject.commit(large, at: "k", token) }
            try subject.expectTooLarge(refusal, name: "k")
        },
    ]
}

extension Sequence {
    /// `map` for a body that suspends, one element after the other.
    fileprivate func mapInOrder<Result>(_ body: (Element) async throws -> Result) async throws -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}
