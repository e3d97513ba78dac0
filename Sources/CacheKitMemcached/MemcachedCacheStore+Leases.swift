public import CacheKit
import ScaleCore

/// The verbs of a load: begin, commit, abandon, and the lease that a write takes by force.
extension MemcachedCacheStore {
    public func begin(_ key: CacheKey, seen: Sighting, token: LeaseToken, lease: Duration) async throws -> BeginAnswer {
        let name = WireName.of(key)
        let steps = self.steps(token, lease)
        let longest = max(self.longestLease, lease)
        let (now, leases) = (self.time.now(), self.leases)
        let answer = try await self.change(key) { found in
            steps.begin(found, seen: seen) { holder, length in
                leases.withLock { $0.remaining(name, holder, length: min(length, longest), at: now) }
            }
        }
        if answer == .granted { leases.withLock { $0.note(name, token, length: lease, at: now) } }
        return answer
    }

    public func seize(_ key: CacheKey, token: LeaseToken, lease: Duration) async throws {
        let steps = self.steps(token, lease)
        let now = self.time.now()
        try await self.change(key) { steps.seize($0) }
        self.leases.withLock { $0.note(WireName.of(key), token, length: lease, at: now) }
    }

    public func commit(_ key: CacheKey, token: LeaseToken, record: CacheRecord, life: CacheLife) async throws -> CommitAnswer {
        let now = self.time.utcNow()
        let stamped = record.stamped(life, at: now)
        try self.checkSize(NewItem(stamped, at: now), key)
        let answer = try await self.change(key) { LeaseSteps.commit($0, token: token, record: stamped, at: now) }
        self.leases.withLock { $0.forget(WireName.of(key)) }
        return answer
    }

    public func abandon(_ key: CacheKey, token: LeaseToken) async throws {
        let now = self.time.utcNow()
        try await self.change(key) { LeaseSteps.abandon($0, token: token, at: now) }
    }

    private func steps(_ token: LeaseToken, _ lease: Duration) -> LeaseSteps {
        var random = self.random
        return LeaseSteps(now: self.time.utcNow(), lease: lease, token: token, nonce: .random(using: &random))
    }
}
