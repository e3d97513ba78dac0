import ScaleCore

/// Analytics of a service without a shared store: exact while there are few, forgotten with the process.
public final class MemoryAnalytics: Analytics {
    private struct State {
        var views: [Int64: Int64] = [:]
        var visitors: Set<String> = []
    }

    private let state = Locked(State())

    public init() {}

    public func recordView(of profile: Int64, from address: String) async throws {
        self.state.withLock { state in
            state.views[profile, default: 0] += 1
            state.visitors.insert(address)
        }
    }

    public func report(limit: Int) async throws -> AnalyticsReport {
        let (views, visitors) = self.state.withLock { ($0.views, $0.visitors.count) }
        // Equal counts in descending order of id, as a sorted set's ZREVRANGE gives members of one length.
        let rows = views.map(AnalyticsReport.Row.init).sorted { ($0.views, $0.id) > ($1.views, $1.id) }
        return AnalyticsReport(views: Array(rows.prefix(limit)), visitors: Int64(visitors))
    }
}

extension AnalyticsReport.Row {
    fileprivate init(_ entry: (key: Int64, value: Int64)) {
        self.init(id: entry.key, views: entry.value)
    }
}
