/// What a store can do. A part of the conformance suite that needs a missing capability is skipped, and says so.
public struct CacheStoreCapabilities: Hashable, Sendable {
    /// The largest record in bytes, head and tags included; for a store of objects, as its limits count.
    public var maximumValueSize: Int

    /// The longest name in UTF-8 bytes, as ``StorageName`` spells it. `nil`: a store that keeps ``CacheKey``s as they are.
    public var maximumKeyLength: Int?

    /// Whether the store keeps counters that many clients can increment.
    public var counters: Bool

    /// Whether ``CacheRecord/Body/object(_:)`` may be stored: values are kept decoded, in this process.
    public var keepsObjects: Bool

    public init(maximumValueSize: Int, maximumKeyLength: Int?, counters: Bool, keepsObjects: Bool = false) {
        self.maximumValueSize = maximumValueSize
        self.maximumKeyLength = maximumKeyLength
        self.counters = counters
        self.keepsObjects = keepsObjects
    }
}
