public import CacheKit
import ScaleCore

/// The random values that tags and namespaces have: 8 bytes, without expiry. A server that evicts them causes misses, never stale hits.
extension MemcachedCacheStore {
    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        try await self.randomValues(at: tags.map { WireName.of($0) }).map(TagEpoch.init(bits:))
    }

    public func sequence(of namespace: String) async throws -> UInt64 {
        let name = WireName.ofSequence(namespace)
        let value = try await self.read([name], keys: [nil]).first.flatMap { $0.flatMap { Self.bits(of: $0) } }
        if let value { return value }
        return try await self.createRandomValue(at: name)
    }

    public func invalidate(_ tags: [CacheTag]) async throws {
        // Sequences first: whoever reads a new epoch must not find the old sequence afterwards.
        let sequences = Set(tags.map { WireName.ofSequence($0.namespace) }).sorted()
        for name in sequences + tags.map({ WireName.of($0) }) {
            let fresh = NewItem(bytes: BigEndian.bytes(self.random.next()), expiry: WireExpiry.never)
            try await self.writer(of: name).setOrDelete(name, fresh, place: self.placeOfRandomValue)
        }
    }

    private var placeOfRandomValue: KeyPlace { KeyPlace(key: nil, limit: self.capabilities.maximumValueSize) }

    private func randomValues(at names: [String]) async throws -> [UInt64] {
        let items = try await self.read(names, keys: names.map { _ in nil })
        var values: [UInt64] = []
        for (name, item) in zip(names, items) {
            if let value = item.flatMap({ Self.bits(of: $0) }) {
                values.append(value)
            } else {
                values.append(try await self.createRandomValue(at: name))
            }
        }
        return values
    }

    /// The value at `name`, which is made up if there is none. Bytes that are no such value give way.
    private func createRandomValue(at name: String) async throws -> UInt64 {
        let fresh = self.random.next()
        return try await self.writer(of: name).change(name, place: self.placeOfRandomValue) { item in
            if let value = item.flatMap({ Self.bits(of: $0) }) { return .answer(value) }
            return .put(NewItem(bytes: BigEndian.bytes(fresh), expiry: WireExpiry.never), fresh)
        }
    }

    private static func bits(of item: StoredItem) -> UInt64? { BigEndian.integer(UInt64.self, item.bytes) }
}
