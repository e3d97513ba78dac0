/// What a Redis server says of itself, as far as it matters for what is kept there. Nil is what it does not tell.
struct RedisFacts: Hashable, Sendable {
    /// What a server is used for; the raw value is the flag that names it.
    enum Use: String, CaseIterable, Comparable, Sendable {
        case cache = "--cache"
        case results = "--results"
        case sessions = "--sessions"

        static func < (left: Use, right: Use) -> Bool { left.rawValue < right.rawValue }
    }

    /// Its policies for a full memory (redis.io, "Key eviction"). One that is not known here is as good as untold.
    enum EvictionPolicy: String, CaseIterable, Sendable {
        case noEviction = "noeviction"
        case allKeysLRU = "allkeys-lru"
        case allKeysLFU = "allkeys-lfu"
        case allKeysRandom = "allkeys-random"
        case volatileLRU = "volatile-lru"
        case volatileLFU = "volatile-lfu"
        case volatileRandom = "volatile-random"
        case volatileTTL = "volatile-ttl"
    }

    /// `host:port`.
    var address: String
    var uses: Set<Use>
    /// Whether there is an append-only file.
    var appendsToFile: Bool?
    /// Whether it saves snapshots after so many seconds and changes.
    var savesSnapshots: Bool?
    /// In bytes; 0 for no limit.
    var maximumMemory: Int64?
    var evictionPolicy: EvictionPolicy?
}

extension RedisFacts {
    /// - Parameters:
    ///   - settings: what `CONFIG GET` has said, by name; it may be refused altogether.
    ///   - info: what `INFO` has said.
    init(address: String, uses: Set<Use>, settings: [String: String], info: [String: String]) {
        self.init(address: address, uses: uses)
        self.appendsToFile = settings["appendonly"].map { $0 == "yes" } ?? info["aof_enabled"].map { $0 == "1" }
        // INFO does not tell of save points, but of snapshots that were made.
        self.savesSnapshots = settings["save"].map { !$0.isEmpty } ?? (info["rdb_saves"].flatMap { Int64($0) } ?? 0 > 0 ? true : nil)
        self.maximumMemory = (settings["maxmemory"] ?? info["maxmemory"]).flatMap { Int64($0) }
        self.evictionPolicy = (settings["maxmemory-policy"] ?? info["maxmemory_policy"]).flatMap(EvictionPolicy.init(rawValue:))
    }
}
