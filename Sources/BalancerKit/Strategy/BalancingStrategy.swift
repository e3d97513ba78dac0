public import ScaleCore

/// Chooses which of the usable endpoints takes the next call. Conform a value to it for a strategy of your own.
///
/// A strategy only ever sees endpoints that may be picked: health, limits and retries are the set's business. It is called with the set's
/// exclusive access, so it needs no lock; it must not block. `BalancerKitTesting` has the conformance suite to run on it.
public protocol BalancingStrategy: Sendable {
    /// Chooses a position out of `candidates`, which are never empty.
    ///
    /// - Parameter random: the source of chance to use, so that a seeded set is repeatable.
    /// - Returns: a position below `candidates.count`. Nothing, or a position outside, leaves the choice to smooth weighted round robin.
    mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int?

    /// Notes how an attempt ended. Does nothing by default.
    mutating func observe(_ observation: CallObservation)

    /// Notes that the set consists of these endpoints from now on. Does nothing by default.
    mutating func endpointsChanged(_ endpoints: [EndpointID])
}

extension BalancingStrategy {
    public mutating func observe(_ observation: CallObservation) {}
    public mutating func endpointsChanged(_ endpoints: [EndpointID]) {}
}

/// How one attempt went, for strategies that learn from it.
public struct CallObservation: Sendable {
    public var id: EndpointID
    public var outcome: CallOutcome
    /// From the pick to the report.
    public var duration: Duration
    /// When it was reported.
    public var at: Instant
}
