/// The less busy of two endpoints drawn by chance, each in proportion to its weight.
///
/// Nearly as even as asking all, and without the herd that several balancers make when each of them sends to the one endpoint that
/// looks least busy. O(1) per draw with equal weights, O(endpoints) with others.
///
/// Sources: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996); Finagle's P2C; nginx's `random two least_conn`.
public struct PowerOfTwoChoices: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        guard candidates.count > 1 else { return 0 }
        let first = candidates.draw(using: &random)
        let second = candidates.draw(except: first, using: &random)
        return candidates.load(at: first) <= candidates.load(at: second) ? first : second
    }
}

extension BalancingStrategy where Self == PowerOfTwoChoices {
    /// The less busy of two endpoints drawn by chance in proportion to the weights.
    public static var powerOfTwoChoices: PowerOfTwoChoices { PowerOfTwoChoices() }
}

extension Candidates {
    /// A position by chance, in proportion to the weights.
    public func draw(using random: inout some RandomNumberGenerator) -> Int {
        if self.haveEqualWeights { return .random(in: 0..<self.count, using: &random) }
        let total = (0..<self.count).reduce(0) { $0 + self.weight(at: $1) }
        return self.position(of: .random(in: 0..<total, using: &random), except: nil)
    }

    /// A position other than `excluded` by chance, in proportion to the weights. There must be another one.
    public func draw(except excluded: Int, using random: inout some RandomNumberGenerator) -> Int {
        if self.haveEqualWeights {
            let position = Int.random(in: 0..<self.count - 1, using: &random)
            return position < excluded ? position : position + 1
        }
        let total = (0..<self.count).reduce(0) { $0 + ($1 == excluded ? 0 : self.weight(at: $1)) }
        return self.position(of: .random(in: 0..<total, using: &random), except: excluded)
    }

    /// Whose stretch of the weights laid end to end `point` lies in.
    private func position(of point: Int, except excluded: Int?) -> Int {
        var rest = point
        for position in 0..<self.count where position != excluded {
            rest -= self.weight(at: position)
            if rest < 0 { return position }
        }
        return self.count - 1
    }
}
