/// A small deterministic generator for tests: equal seeds give equal sequences, on every machine. Not for secrets.
///
/// It is SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, in the form of
/// Sebastiano Vigna's `splitmix64.c`).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        self.state = seed
    }

    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var word = self.state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A generator of its own for another actor of the same test, so that the order in which the two draw does not matter.
    public mutating func split() -> SeededGenerator {
        SeededGenerator(seed: self.next())
    }
}
