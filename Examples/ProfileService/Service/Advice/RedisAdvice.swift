extension Advice {
    /// What follows from what a Redis server says of itself. Nothing follows from what it does not tell, but for persistence.
    ///
    /// Sources: redis.io, "Redis persistence" and "Key eviction". By default a server has save points, no limit of memory, and
    /// `noeviction`, under which writes of a server at its limit fail with `-OOM` and reads go on.
    static func on(_ facts: RedisFacts) -> [Advice] {
        [Self.onPersistence(facts), Self.onEviction(facts)].compactMap(\.self)
    }

    private static func onPersistence(_ facts: RedisFacts) -> Advice? {
        let kept = facts.kept
        guard !kept.isEmpty, facts.appendsToFile != true, facts.savesSnapshots != true else { return nil }
        let place = "\(Self.flags(kept)): Redis at \(facts.address)"
        guard facts.appendsToFile == false, facts.savesSnapshots == false else {
            return Advice(
                rule: .persistenceUnknown,
                description: "\(place) does not tell whether it writes to disk what it keeps; make sure of 'appendonly yes' or save points")
        }
        return Advice(
            rule: .noPersistence,
            description:
                "\(place) writes nothing to disk, so \(Self.names(kept)) are lost when it restarts; set 'appendonly yes' or save points"
        )
    }

    private static func onEviction(_ facts: RedisFacts) -> Advice? {
        guard let limit = facts.maximumMemory, limit > 0, let policy = facts.evictionPolicy else { return nil }
        let (kept, hasCache) = (facts.kept, facts.uses.contains(.cache))
        let setting = "maxmemory-policy \(policy.rawValue)"
        let drops = policy != .noEviction
        if hasCache, !kept.isEmpty {
            let effect = drops ? "drops \(Self.names(kept)) as well" : "refuses the cache's writes as well"
            return Advice(
                rule: .oneLimitForBoth,
                description:
                    "\(Self.flags(facts.uses)): Redis at \(facts.address) \(effect) when its maxmemory is reached (\(setting)); give the cache a server of its own"
            )
        }
        if hasCache, !drops {
            return Advice(
                rule: .cacheIsRefused,
                description:
                    "--cache: Redis at \(facts.address) refuses writes when its maxmemory is reached (\(setting)); set 'maxmemory-policy allkeys-lfu'"
            )
        }
        if !kept.isEmpty, drops {
            return Advice(
                rule: .keptIsDropped,
                description:
                    "\(Self.flags(kept)): Redis at \(facts.address) drops \(Self.names(kept)) when its maxmemory is reached (\(setting)); set 'maxmemory-policy noeviction'"
            )
        }
        return nil
    }

    private static func flags(_ uses: Set<RedisFacts.Use>) -> String {
        uses.sorted().map(\.rawValue).joined(separator: " and ")
    }

    private static func names(_ uses: Set<RedisFacts.Use>) -> String {
        uses.sorted().reversed().map { $0.rawValue.dropFirst(2) }.joined(separator: " and ")
    }
}

extension RedisFacts {
    /// What must not be lost.
    fileprivate var kept: Set<Use> { self.uses.subtracting([.cache]) }
}
