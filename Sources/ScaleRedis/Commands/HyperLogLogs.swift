// HyperLogLog: how many distinct elements were seen, within a standard error of 0.81 % in 12 KiB.
// Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007.
extension RedisCommandSender {
    /// Counts elements in; returns whether the estimate has changed. O(1) each.
    @discardableResult
    public func pfadd(_ key: String, _ elements: [RedisArgument]) async throws -> Bool {
        try await self.callFlag("PFADD", [RedisArgument(key)] + elements)
    }

    /// The estimated number of distinct elements in all of the keys together; 0 for no keys. O(number of keys).
    public func pfcount(_ keys: [String]) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        return try await self.callCount("PFCOUNT", keys.map { RedisArgument($0) })
    }

    public func pfcount(_ key: String) async throws -> Int {
        try await self.pfcount([key])
    }

    /// Makes `destination` count what it and all `sources` have seen.
    public func pfmerge(into destination: String, _ sources: [String]) async throws {
        try await self.callStatus("PFMERGE", [RedisArgument(destination)] + sources.map { RedisArgument($0) })
    }
}
