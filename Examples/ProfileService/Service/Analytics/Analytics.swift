/// What was viewed and by how many.
public protocol Analytics: Sendable {
    /// Counts one view of `profile` from the client at `address`.
    func recordView(of profile: Int64, from address: String) async throws

    /// The most viewed profiles, at most `limit` of them, most viewed first, and how many distinct addresses were seen.
    func report(limit: Int) async throws -> AnalyticsReport
}

public struct AnalyticsReport: Codable, Equatable, Sendable {
    public struct Row: Codable, Equatable, Sendable {
        public var id: Int64
        public var views: Int64
    }

    public var views: [Row]
    public var visitors: Int64
}
