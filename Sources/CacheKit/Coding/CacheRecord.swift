/// 64 random bits that name the time since a tag's latest invalidation.
public struct TagEpoch: Hashable, Sendable {
    public let bits: UInt64
    public init(bits: UInt64) { self.bits = bits }
}

/// A tag of a record and the epoch that was current before the record's value was loaded.
public struct TagStamp: Hashable, Sendable {
    public let name: String
    public let epoch: TagEpoch

    public init(name: String, epoch: TagEpoch) {
        self.name = name
        self.epoch = epoch
    }
}

/// One entry as a store keeps it: a head that stores read and patch, tags, and the value.
public struct CacheRecord: Sendable {
    /// Bits of the head's flag byte.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// A lease without a value: somebody is loading.
        public static let empty = Flags(rawValue: 1)
        /// The value is a cached "nothing".
        public static let negative = Flags(rawValue: 2)
        /// The body is compressed.
        public static let compressed = Flags(rawValue: 4)
        /// The body is encrypted.
        public static let sealed = Flags(rawValue: 8)

        /// What this version can read.
        static let understood: Flags = [.empty, .negative]
    }

    /// A value: encoded, or as the object itself for stores in this process.
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Only for stores whose capabilities say ``CacheStoreCapabilities/keepsObjects``.
        case object(CachedObject)

        /// The encoded size in bytes.
        public var size: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .object(let object): object.encodedSize
            }
        }
    }

    public var flags: Flags
    /// Random per write.
    public var nonce: RecordNonce
    /// The load that may replace this record, if any.
    public var lease: LeaseToken?
    /// When the lease ends, in ms by the store's own clock.
    public var leaseDeadline: Int64 = 0
    /// Until when the value is fresh, in ms UTC by the writer; 0 when it was expired, `Int64.max` when it never is.
    public var freshUntil: Int64 = 0
    /// When the store drops the record, in ms UTC; `Int64.max` when never.
    public var physicalEnd: Int64 = 0
    /// What the body was encoded from; see ``SchemaFingerprint``.
    public var schema: UInt64
    /// A hash of the server history that the load saw; 0 unless the policy asks for it.
    public var incarnation: UInt64 = 0
    public var tags: [TagStamp]
    public var body: Body

    public init(flags: Flags = [], nonce: RecordNonce, schema: UInt64, tags: [TagStamp], body: Body) {
        self.flags = flags
        self.nonce = nonce
        self.schema = schema
        self.tags = tags
        self.body = body
    }

    /// Whether this is a lease only.
    public var isEmpty: Bool { self.flags.contains(.empty) }
}

/// How long a record lives: as fresh, and in the store at all. `nil`: forever.
public struct CacheLife: Hashable, Sendable {
    public var fresh: Duration?
    public var physical: Duration?

    public init(fresh: Duration?, physical: Duration?) {
        self.fresh = fresh
        self.physical = physical
    }

    /// A life that ends when freshness does.
    public init(_ duration: Duration?) {
        self.init(fresh: duration, physical: duration)
    }
}
