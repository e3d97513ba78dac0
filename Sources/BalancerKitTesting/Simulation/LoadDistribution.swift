public import BalancerKit

/// Where the calls of a ``LoadSimulation`` went. Its description is a table.
public struct LoadDistribution: Hashable, Sendable {
    /// What one endpoint got.
    public struct Row: Hashable, Sendable {
        public var endpoint: Endpoint
        /// Attempts that ended there.
        public var attempts = 0
        /// Those of them that failed.
        public var failures = 0
        /// The most calls that were in flight to it at the same time.
        public var peakCalls = 0
    }

    /// In the order of the simulation's servers.
    public var rows: [Row]
    /// Calls that ended in a failure.
    public var failedCalls = 0
    /// Attempts for which there was no endpoint.
    public var unserved = 0

    init(rows: [Row]) {
        self.rows = rows
    }

    /// All attempts that were made.
    public var attempts: Int { self.rows.reduce(0) { $0 + $1.attempts } }

    /// The share of the attempts that the endpoint in `row` got, 0 to 1.
    public func share(of row: Int) -> Double {
        guard self.rows.indices.contains(row), self.attempts > 0 else { return 0 }
        return Double(self.rows[row].attempts) / Double(self.attempts)
    }
}

extension LoadDistribution: CustomStringConvertible {
    public var description: String {
        let head = ["endpoint", "weight", "attempts", "share", "failures", "peak"]
        let body = self.rows.indices.map { index in
            let row = self.rows[index]
            let perMille = Int((self.share(of: index) * 1000).rounded())
            return [
                row.endpoint.description, "\(row.endpoint.weight)", "\(row.attempts)", "\(perMille / 10).\(perMille % 10)%",
                "\(row.failures)", "\(row.peakCalls)",
            ]
        }
        let widths = head.indices.map { column in ([head] + body).map { $0[column].count }.max() ?? 0 }
        let lines = ([head] + body).map { cells in
            zip(cells, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }.joined(separator: "  ")
        }
        return (lines + ["failed calls \(self.failedCalls), unserved \(self.unserved)"]).joined(separator: "\n")
    }
}
