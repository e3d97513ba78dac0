import BalancerKit

/// nginx's `random`: an endpoint by chance, in proportion to the weights.
struct WeightedRandom: BalancingStrategy {
    mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        candidates.count > 0 ? candidates.draw(using: &random) : nil
    }
}
