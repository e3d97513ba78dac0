import ScaleRedis

/// Analytics of several instances: views in a sorted set, visitors in a HyperLogLog (an estimate, within about 0.8 %).
struct RedisAnalytics: Analytics {
    let redis: RedisClient
    let keyPrefix: String

    private var viewsKey: String { "\(self.keyPrefix):views" }
    private var visitorsKey: String { "\(self.keyPrefix):visitors" }

    func recordView(of profile: Int64, from address: String) async throws {
        async let view = self.redis.zincrby(self.viewsKey, RedisArgument("\(profile)"))
        async let visitor = self.redis.pfadd(self.visitorsKey, [RedisArgument(address)])
        _ = try await (view, visitor)
    }

    func report(limit: Int) async throws -> AnalyticsReport {
        async let views = self.redis.zrange(self.viewsKey, from: 0, through: limit - 1, descending: true)
        async let visitors = self.redis.pfcount(self.visitorsKey)
        let rows = try await views.compactMap { member -> AnalyticsReport.Row? in
            guard let id = Int64(String(decoding: member.member, as: UTF8.self)), let views = Int64(exactly: member.score) else {
                return nil
            }
            return AnalyticsReport.Row(id: id, views: views)
        }
        return AnalyticsReport(views: rows, visitors: Int64(try await visitors))
    }
}
