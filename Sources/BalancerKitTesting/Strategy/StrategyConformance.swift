public import BalancerKit
public import ScaleTesting

/// What every balancing strategy must keep, as a suite to run on one of your own, under any test framework.
///
/// ```swift
/// @Test func `my strategy keeps the rules`() throws {
///     try StrategyConformance { MyStrategy() }.run()
/// }
/// ```
///
/// A violated rule throws a `TestFailure` that names the rule, the seed and the line that called ``run(file:line:)``.
public struct StrategyConformance: Sendable {
    /// A rule of the suite, to run one by one.
    public enum Rule: String, CaseIterable, Sendable {
        /// It always answers, with one of the positions offered.
        case answersWithACandidate
        /// An endpoint that is the only candidate is chosen.
        case choosesTheOnlyCandidate
        /// Nobody gets a call who is down, resting, at the limit or was tried, and a call ends after at most one attempt per endpoint.
        case neverLeavesTheCandidates
        /// Over many short calls each endpoint gets its weight's share, within ``StrategyConformance/tolerance``.
        case respectsWeights
        /// No candidate waits forever, however busy or slow it was.
        case starvesNobody
        /// It copes with endpoints that come and go.
        case survivesUpdates
        /// The same seed and the same calls give the same picks.
        case isRepeatable
    }

    /// How far an endpoint's share of the calls may lie from its weight's share, as a share of all calls.
    public var tolerance: Double = 0.05

    /// The rules to check; take ``Rule/respectsWeights`` out for a strategy that does not mean to.
    public var rules: [Rule] = Rule.allCases

    /// What the random schedules begin with.
    public var seed: Seed

    private let make: @Sendable () -> any BalancingStrategy

    /// - Parameter make: makes a fresh strategy.
    public init(seed: Seed = .random(), _ make: @escaping @Sendable () -> any BalancingStrategy) {
        self.seed = seed
        self.make = make
    }

    /// Checks all ``rules``.
    ///
    /// - Throws: `TestFailure` for the first that does not hold.
    public func run(file: String = #fileID, line: Int = #line) throws {
        for rule in self.rules { try self.check(rule, file: file, line: line) }
    }

    /// Checks one rule.
    ///
    /// - Throws: `TestFailure` when it does not hold.
    public func check(_ rule: Rule, file: String = #fileID, line: Int = #line) throws {
        do {
            switch rule {
            case .answersWithACandidate: try self.checkAnswers()
            case .choosesTheOnlyCandidate: try self.checkOnlyCandidate()
            case .neverLeavesTheCandidates: try self.checkCandidatesOnly()
            case .respectsWeights: try self.checkWeights()
            case .starvesNobody: try self.checkStarvation()
            case .survivesUpdates: try self.checkUpdates()
            case .isRepeatable: try self.checkRepeatability()
            }
        } catch let failure as TestFailure {
            throw TestFailure("\(rule.rawValue) with \(self.seed): \(failure.message)", file: file, line: line)
        }
    }
}

// MARK: - The rules

extension StrategyConformance {
    private func checkAnswers() throws {
        for weights in [[1], [1, 1], [5, 1, 1], [1, 2, 3, 4, 5, 6, 7]] {
            var schedule = try StrategySchedule(weights: weights, strategy: self.make(), seed: self.seed)
            try schedule.play(steps: 300)
            for fact in schedule.facts.all {
                if case .choseNobody(let offered) = fact {
                    throw TestFailure("no answer, or an invalid one, to \(offered.count) candidates")
                }
            }
        }
    }

    private func checkOnlyCandidate() throws {
        var schedule = try StrategySchedule(weights: [1, 1, 1], strategy: self.make(), seed: self.seed)
        try schedule.update { endpoints in
            endpoints[0].isDown = true
            endpoints[2].isDown = true
        }
        for _ in 0..<20 { try expectEqual(try schedule.call(), 1, "the only candidate was not chosen") }
    }

    private func checkCandidatesOnly() throws {
        var random = self.seed.generator()
        for round in 0..<10 {
            let weights = (0...round).map { _ in Int.random(in: 1...9, using: &random) }
            var schedule = try StrategySchedule(weights: weights, strategy: self.make(), seed: Seed(random.next()))
            try schedule.play(steps: 500)
        }
    }

    private func checkWeights() throws {
        for weights in [[1, 1], [1, 1, 1, 1, 1], [3, 2], [5, 1, 1], [10, 5, 3, 2]] {
            var schedule = try StrategySchedule(weights: weights, strategy: self.make(), seed: self.seed)
            let calls = 4000
            var counts = weights.map { _ in 0 }
            for _ in 0..<calls { counts[try schedule.call()] += 1 }
            let total = Double(weights.reduce(0, +))
            for (count, weight) in zip(counts, weights) {
                let (share, expected) = (Double(count) / Double(calls), Double(weight) / total)
                try expect(abs(share - expected) <= self.tolerance, "weights \(weights) got \(counts) of \(calls) calls")
            }
        }
    }

    private func checkStarvation() throws {
        for count in [2, 3, 8] {
            var schedule = try StrategySchedule(weights: Array(repeating: 1, count: count), strategy: self.make(), seed: self.seed)
            // Every endpoint was once busier and slower than all others.
            for endpoint in 0..<count { try schedule.occupy(endpoint, for: .seconds(5)) }
            var seen = Set<Int>()
            for _ in 0..<(count * 500) { seen.insert(try schedule.call()) }
            try expectEqual(seen.count, count, "endpoints that got calls")
        }
    }

    private func checkUpdates() throws {
        var schedule = try StrategySchedule(weights: [1, 2, 3, 4], strategy: self.make(), seed: self.seed)
        var random = self.seed.generator()
        for _ in 0..<30 {
            try schedule.update { endpoints in
                endpoints.shuffle(using: &random)
                for index in endpoints.indices { endpoints[index].isDown = index > 0 && Bool.random(using: &random) }
            }
            try schedule.play(steps: 30)
        }
    }

    private func checkRepeatability() throws {
        func picks() throws -> [StrategyFact] {
            var schedule = try StrategySchedule(weights: [4, 3, 2, 1], strategy: self.make(), seed: self.seed)
            try schedule.play(steps: 300)
            return schedule.facts.all
        }
        try expect(try picks() == picks(), "two runs with the same seed differ")
    }
}
