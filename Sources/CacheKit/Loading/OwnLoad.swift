import ScaleCore

/// What a node knows of a load of its own.
struct OwnLoad: Hashable, Sendable {
    let key: CacheKey
    /// The epochs of the call's tags, read before the load began; the namespace's own tag is among them.
    let epochs: [ExactName: TagEpoch]
    /// Whether the loader can add tags, so that the namespace's sequence decides.
    let mayAddTags: Bool
    /// The fence of the read that opened it.
    let fence: UInt64?
    /// The sequence noted when the lease was granted, before the loader ran.
    var sequence: UInt64?
    /// Until when the lease stands for certain.
    let leaseEnd: Instant
}
