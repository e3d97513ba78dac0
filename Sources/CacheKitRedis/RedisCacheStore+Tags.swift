public import CacheKit
import ScaleCore
import ScaleRedis

/// The random values that tags and namespaces have.
extension RedisCacheStore {
    public func epochs(of tags: [CacheTag]) async throws -> [TagEpoch] {
        try await self.randomValues(at: tags.map { self.name($0) }).map(TagEpoch.init(bits:))
    }

    public func sequence(of namespace: String) async throws -> UInt64 {
        guard let value = try await self.randomValues(at: [self.sequenceName(namespace)]).first else { throw Self.unexpected("sequence") }
        return value
    }

    public func invalidate(_ tags: [CacheTag]) async throws {
        guard !tags.isEmpty else { return }
        // Sequences first: whoever reads a new epoch must not find the old sequence afterwards.
        let sequences = Set(tags.map { ExactName($0.namespace) }).sorted().map { self.sequenceName($0.text) }
        let names = sequences + tags.map { self.name($0) }
        let random = self.random
        let replies = try await self.pipeline(
            names.map { name in
                RedisCommand("SET", [RedisArgument(name), RedisArgument(BigEndian.bytes(random.next()))])
            })
        guard let failure = replies.compactMap(\.failure).first else { return }
        // A full server refuses to write, but deletes; what is missing is created anew, at random.
        guard failure.serverError?.kind == "OOM" else { throw CacheError(failure) }
        for reply in try await self.pipeline(names.map { RedisCommand("DEL", [RedisArgument($0)]) }) {
            if let failure = reply.failure { throw CacheError(failure) }
        }
    }

    private func randomValues(at names: [String]) async throws -> [UInt64] {
        guard !names.isEmpty else { return [] }
        let random = self.random
        let fresh = names.map { _ in RedisArgument(BigEndian.bytes(random.next())) }
        let reply = try await self.run(StoreScript.random, names, fresh)
        guard case .array(let values) = reply, values.count == names.count else { throw Self.unexpected("epoch") }
        return try values.map { value in
            guard let bits = value.bytes.flatMap({ BigEndian.integer(UInt64.self, $0) }) else { throw Self.unexpected("epoch") }
            return bits
        }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        switch self {
        case .success: nil
        case .failure(let error): error
        }
    }
}
