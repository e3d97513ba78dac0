/// A small generator for choices that need to be spread, not secret: SplitMix64 (Steele, Lea, Flood, 2014).
///
/// The system's generator asks the kernel for each number on Linux, which costs more than the rest of a pick.
public struct FastRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Repeats itself for equal seeds; by default the seed is the system's.
    public init(seed: UInt64 = .random(in: .min ... .max)) {
        self.state = seed
    }

    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
