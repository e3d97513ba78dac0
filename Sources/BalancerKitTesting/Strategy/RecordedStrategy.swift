public import BalancerKit
public import ScaleTesting

/// A strategy that does as another one does, and records what it was asked, what it chose and how the attempts ended.
public struct RecordedStrategy<Base: BalancingStrategy>: BalancingStrategy {
    private var base: Base
    private let facts: RecordedFacts<StrategyFact>

    public init(_ base: Base, into facts: RecordedFacts<StrategyFact>) {
        self.base = base
        self.facts = facts
    }

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        let offered = (0..<candidates.count).map { candidates.endpoint(at: $0).address }
        let answer = self.base.pick(from: &candidates, random: &random)
        if let answer, offered.indices.contains(answer) {
            self.facts.record(.picked(candidates.id(at: answer), offered[answer], from: offered))
        } else {
            self.facts.record(.choseNobody(from: offered))
        }
        return answer
    }

    public mutating func observe(_ observation: CallObservation) {
        self.facts.record(.ended(observation.id, observation.outcome))
        self.base.observe(observation)
    }

    public mutating func endpointsChanged(_ endpoints: [EndpointID]) {
        self.facts.record(.endpointsChanged(endpoints))
        self.base.endpointsChanged(endpoints)
    }
}

/// Something that a strategy was asked or told.
public enum StrategyFact: Hashable, Sendable {
    /// It chose an endpoint out of those offered.
    case picked(EndpointID, Endpoint.Address, from: [Endpoint.Address])
    /// It answered with nothing, or with a position that does not exist.
    case choseNobody(from: [Endpoint.Address])
    /// It was told how an attempt ended.
    case ended(EndpointID, CallOutcome)
    /// It was told of other endpoints.
    case endpointsChanged([EndpointID])
}
