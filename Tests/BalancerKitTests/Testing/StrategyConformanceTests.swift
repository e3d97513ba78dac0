import BalancerKit
import BalancerKitTesting
import ScaleTesting
import Testing

struct StrategyConformanceTests {
    @Test(arguments: StrategyConformance.Rule.allCases)
    func `our own strategies keep every rule`(rule: StrategyConformance.Rule) throws {
        try StrategyConformance { RoundRobin() }.check(rule)
        try StrategyConformance { LeastConnections() }.check(rule)
        try StrategyConformance { PowerOfTwoChoices() }.check(rule)
    }

    @Test func `the whole suite runs in one call`() throws {
        try StrategyConformance { RoundRobin() }.run()
    }

    /// Each breaks one rule, and the suite has to find which.
    private struct Silent: BalancingStrategy {
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? { nil }
    }

    private struct First: BalancingStrategy {
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? { 0 }
    }

    private struct Unweighted: BalancingStrategy {
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
            .random(in: 0..<candidates.count, using: &random)
        }
    }

    private struct Unseeded: BalancingStrategy {
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
            .random(in: 0..<candidates.count)
        }
    }

    private struct Outside: BalancingStrategy {
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? { candidates.count }
    }

    /// Remembers an endpoint's slowness for good.
    private struct Grudge: BalancingStrategy {
        var slow: Set<EndpointID> = []
        func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
            (0..<candidates.count).first { !self.slow.contains(candidates.id(at: $0)) } ?? 0
        }
        mutating func observe(_ observation: CallObservation) {
            if observation.duration >= .seconds(1) { self.slow.insert(observation.id) }
        }
    }

    @Test(
        arguments: [
            (Silent(), StrategyConformance.Rule.answersWithACandidate), (Outside(), .answersWithACandidate), (First(), .respectsWeights),
            (First(), .starvesNobody), (Grudge(), .starvesNobody), (Unweighted(), .respectsWeights), (Unseeded(), .isRepeatable),
        ] as [(any BalancingStrategy, StrategyConformance.Rule)])
    func `a strategy that breaks a rule fails by that rule's name`(strategy: any BalancingStrategy, rule: StrategyConformance.Rule) throws {
        let suite = StrategyConformance(seed: Seed(42)) { strategy }
        let failure = try #require(throws: TestFailure.self) { try suite.check(rule, file: "Mine.swift", line: 7) }
        #expect(failure.message.hasPrefix(rule.rawValue))
        #expect(failure.file == "Mine.swift" && failure.line == 7)
        #expect(throws: TestFailure.self) { try suite.run() }
    }

    @Test func `a rule that a strategy does not mean to keep can be left out`() throws {
        var suite = StrategyConformance { Unweighted() }
        suite.rules.removeAll { $0 == .respectsWeights }
        try suite.run()
    }
}
