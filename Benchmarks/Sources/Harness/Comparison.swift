/// One row of the table: our figure beside theirs, and what their ratio may be.
public struct Comparison: Encodable, Sendable {
    /// Which way a limit points.
    public enum Bound: String, Encodable, Sendable {
        /// The ratio must not exceed the limit: costs.
        case max
        /// The ratio must reach the limit: throughput.
        case min
    }

    /// The ratios of the single rounds.
    public struct Ratio: Encodable, Sendable {
        public var min: Double
        public var median: Double
        public var max: Double
    }

    public var name: String
    public var against: String
    public var unit: String
    /// Medians over the rounds.
    public var ours: Double
    public var theirs: Double
    public var ratio: Ratio
    public var bound: Bound
    public var limit: Double
    public var holds: Bool

    /// Compares rounds that were run in turn, each of ours with the one of theirs beside it.
    public init(name: String, against: String, unit: String, bound: Bound, limit: Double, rounds: [(ours: Double, theirs: Double)]) {
        let ratios = rounds.map { $0.theirs > 0 ? $0.ours / $0.theirs : .infinity }.sorted()
        self.name = name
        self.against = against
        self.unit = unit
        self.ours = Self.median(rounds.map(\.ours))
        self.theirs = Self.median(rounds.map(\.theirs))
        self.ratio = Ratio(min: ratios.first ?? .nan, median: Self.median(ratios), max: ratios.last ?? .nan)
        self.bound = bound
        self.limit = limit
        self.holds = bound == .max ? self.ratio.median <= limit : self.ratio.median >= limit
    }

    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
