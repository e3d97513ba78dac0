import ScaleCore
import Testing

@testable import ProfileService

/// What follows from facts about servers and lives: each rule, and where it does not hold.
@Suite struct AdviceRules {
    typealias Use = RedisFacts.Use
    typealias Policy = RedisFacts.EvictionPolicy

    /// appendonly, save points, the rule for sessions and results.
    static let persistence: [(Bool?, Bool?, Advice.Rule?)] = [
        (false, false, .noPersistence), (true, false, nil), (false, true, nil), (true, true, nil), (nil, true, nil), (true, nil, nil),
        (false, nil, .persistenceUnknown), (nil, false, .persistenceUnknown), (nil, nil, .persistenceUnknown),
    ]

    @Test(arguments: persistence) func `a Redis that keeps sessions or results writes to disk`(row: (Bool?, Bool?, Advice.Rule?)) {
        for uses: Set<Use> in [[.sessions], [.results], [.sessions, .results], [.cache, .sessions]] {
            let facts = RedisFacts(address: "a:1", uses: uses, appendsToFile: row.0, savesSnapshots: row.1)
            #expect(Advice.on(facts).map(\.rule) == [row.2].compactMap(\.self))
        }
        #expect(Advice.on(RedisFacts(address: "a:1", uses: [.cache], appendsToFile: row.0, savesSnapshots: row.1)).isEmpty)
    }

    /// uses, limit, and the rules under `noeviction` and under each policy that drops.
    static let eviction: [(Set<Use>, Int64?, Advice.Rule?, Advice.Rule?)] = [
        ([.cache], 1_000_000, .cacheIsRefused, nil), ([.cache], 0, nil, nil), ([.cache], nil, nil, nil),
        ([.sessions], 1, nil, .keptIsDropped), ([.results], 1, nil, .keptIsDropped), ([.sessions], 0, nil, nil),
        ([.results], nil, nil, nil),
        ([.cache, .sessions], 1, .oneLimitForBoth, .oneLimitForBoth), ([.cache, .results], 1, .oneLimitForBoth, .oneLimitForBoth),
        ([.cache, .sessions, .results], 0, nil, nil), ([], 1, nil, nil),
    ]

    @Test(arguments: eviction)
    func `a full Redis takes the cache's writes, and drops nothing that is kept`(row: (Set<Use>, Int64?, Advice.Rule?, Advice.Rule?)) {
        for policy in Policy.allCases {
            let facts = RedisFacts(address: "a:1", uses: row.0, appendsToFile: true, maximumMemory: row.1, evictionPolicy: policy)
            #expect(Advice.on(facts).map(\.rule) == [policy == .noEviction ? row.2 : row.3].compactMap(\.self), "\(policy)")
        }
        #expect(Advice.on(RedisFacts(address: "a:1", uses: row.0, appendsToFile: true, maximumMemory: row.1)).isEmpty)
    }

    @Test func `an advice is one line with its flags, the address and what to set`() {
        let facts = RedisFacts(
            address: "redis.example:6379", uses: [.sessions, .results], appendsToFile: false, savesSnapshots: false, maximumMemory: 1,
            evictionPolicy: .allKeysLRU)
        #expect(
            Advice.on(facts).map(\.description) == [
                "--results and --sessions: Redis at redis.example:6379 writes nothing to disk, so sessions and results are lost when it restarts; set 'appendonly yes' or save points",
                "--results and --sessions: Redis at redis.example:6379 drops sessions and results when its maxmemory is reached (maxmemory-policy allkeys-lru); set 'maxmemory-policy noeviction'",
            ])
    }

    @Test func `CONFIG is believed first, and INFO where CONFIG is refused`() {
        let info = [
            "aof_enabled": "1", "rdb_saves": "2", "maxmemory": "100", "maxmemory_policy": "volatile-ttl", "redis_version": "7.0.15",
        ]
        let settings = ["appendonly": "no", "save": "", "maxmemory": "7", "maxmemory-policy": "noeviction"]
        func facts(_ settings: [String: String], _ info: [String: String]) -> RedisFacts {
            RedisFacts(address: "a:1", uses: [], settings: settings, info: info)
        }
        func expected(_ aof: Bool?, _ save: Bool?, _ limit: Int64?, _ policy: Policy?) -> RedisFacts {
            RedisFacts(address: "a:1", uses: [], appendsToFile: aof, savesSnapshots: save, maximumMemory: limit, evictionPolicy: policy)
        }
        #expect(facts(settings, info) == expected(false, false, 7, .noEviction))
        #expect(facts([:], info) == expected(true, true, 100, .volatileTTL))
        // Snapshots may be taken and none was yet, or none was asked for.
        #expect(facts([:], ["aof_enabled": "0", "rdb_saves": "0"]) == expected(false, nil, nil, nil))
        #expect(facts(["save": "3600 1"], [:]) == expected(nil, true, nil, nil))
        #expect(facts([:], [:]) == expected(nil, nil, nil, nil))
        // Whatever a server says.
        let odd = ["rdb_saves": "99999999999999999999", "maxmemory": "a lot", "maxmemory_policy": "no\neviction"]
        #expect(facts([:], odd) == expected(nil, nil, nil, nil))
    }

    /// Seconds before 2038-01-19T03:14:07Z.
    static let now = UTCTime(millisecondsSinceEpoch: (Advice.lastMemcachedSecond - 1000) * 1000)

    static let lives: [(Life.Kind, Life.Backend, Duration, [Advice.Rule])] = [
        (.entry, .memcached, .seconds(999), []), (.entry, .memcached, .seconds(1000), [.endlessOnMemcached]),
        (.entry, .memcached, .seconds(Int64.max), [.endlessOnMemcached]), (.entry, .memcached, .milliseconds(1), []),
        (.entry, .redis, .seconds(Int64.max), []), (.entry, .memory, .seconds(Int64.max), []),
        (.delay, .rabbitMQ, .seconds(86_400), []), (.delay, .rabbitMQ, .seconds(86_401), [.resultEndsFirst]),
        (.delay, .rabbitMQ, .seconds((1 << 28) - 1), [.resultEndsFirst]),
        (.delay, .rabbitMQ, .seconds(1 << 28), [.delayIsCut, .resultEndsFirst]),
        (.delay, .rabbitMQ, .seconds((1 << 28) - 1) + .nanoseconds(1), [.delayIsCut, .resultEndsFirst]),
        (.delay, .sqlite, .seconds(1 << 40), []), (.delay, .memory, .seconds(1 << 40), []), (.delay, .rabbitMQ, .milliseconds(200), []),
        (.run, .rabbitMQ, .seconds(1799), []), (.run, .rabbitMQ, .seconds(1800), [.runIsInterrupted]), (.run, .sqlite, .seconds(7200), []),
    ]

    @Test(arguments: lives.indices) func `a life is one that its backend can keep`(index: Int) {
        let (kind, backend, duration, rules) = Self.lives[index]
        let advice = Advice.on(Life(name: "it", kind: kind, duration: duration, flag: "--flag", backend: backend), at: Self.now)
        #expect(advice.map(\.rule) == rules)
        for one in advice { #expect(!one.description.contains("\n")) }
    }

    @Test func `every rule is in a table above`() {
        let tables = Self.persistence.compactMap(\.2) + Self.eviction.flatMap { [$0.2, $0.3].compactMap(\.self) } + Self.lives.flatMap(\.3)
        #expect(Set(tables) == Set(Advice.Rule.allCases))
    }

    @Test func `this service's own lives are kept by every backend`() throws {
        let now = UTCTime(millisecondsSinceEpoch: 1_800_000_000_000)
        for queue in ["memory", "sqlite:a", "amqp://a"] {
            for cache in ["memory", "redis://a", "memcached://a"] {
                let lives = Life.ofService(cache: try #require(StoreChoice(cache)), queue: try #require(QueueChoice(queue)))
                #expect(lives.map(\.duration) == [.seconds(300), .seconds(60), .seconds(25)])
                #expect(lives.allSatisfy { Advice.on($0, at: now).isEmpty })
            }
        }
    }
}
