/// The bounds of a ``MemoryStore``.
public struct MemoryLimits: Hashable, Sendable {
    /// The most values and counters that are kept. `nil`: bounded by cost alone. Default 100,000.
    public var maximumCount: Int? = 100_000

    /// The most bytes that are kept: of each entry its encoded value, key and tags, and ``entryOverhead``. Values are held
    /// decoded, so the memory in use differs from this sum. An entry that alone costs more is refused. Default 64 MiB.
    public var maximumCost: Int = 67_108_864

    /// What an entry costs beside its value, key and tags.
    public static let entryOverhead = 128

    public init(maximumCount: Int? = 100_000, maximumCost: Int = 67_108_864) {
        self.maximumCount = maximumCount
        self.maximumCost = maximumCost
    }
}
