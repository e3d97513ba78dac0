/// What a reader saw at a key, exactly enough to notice any change: nothing, or the first bytes of what is stored.
///
/// Of a record these are magic, version, flags and nonce. Bytes that are no record (of a newer format, or damaged) are named by their
/// beginning all the same, so that they too can be replaced by the one who saw them, and by nobody else.
public struct Sighting: Hashable, Sendable {
    /// How many bytes of a stored value identify it.
    public static let length = 20

    private let words: Words128
    private let front: UInt32
    /// How many bytes there were, at most ``length``; zero when nothing was stored.
    private let count: UInt8

    /// Nothing was stored.
    public static let absent = Sighting(prefix: [])

    /// What is stored begins with these bytes; more than the first ``length`` are ignored.
    public init(prefix: some Sequence<UInt8>) {
        var front: UInt32 = 0
        var bits: UInt128 = 0
        var count: UInt8 = 0
        for byte in prefix.prefix(Self.length) {
            if count < 4 { front = front << 8 | UInt32(byte) } else { bits = bits << 8 | UInt128(byte) }
            count += 1
        }
        self.front = front
        self.words = Words128(bits)
        self.count = count
    }

    /// A record with these flags and this nonce is stored.
    public init(of record: CacheRecord) {
        self.init(flags: record.flags, nonce: record.nonce)
    }

    /// A record with these flags and this nonce is stored.
    public init(flags: CacheRecord.Flags, nonce: RecordNonce) {
        let magic = UInt32(RecordBytes.magic[0]) << 24 | UInt32(RecordBytes.magic[1]) << 16
        self.front = magic | UInt32(RecordBytes.version) << 8 | UInt32(flags.rawValue)
        self.words = Words128(nonce.bits)
        self.count = UInt8(Self.length)
    }

    public var isAbsent: Bool { self.count == 0 }

    /// The bytes that were seen; none when nothing was stored.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        let frontCount = min(Int(self.count), 4)
        for index in 0..<frontCount { bytes.append(UInt8(truncatingIfNeeded: self.front >> UInt32(8 * (frontCount - 1 - index)))) }
        let restCount = Int(self.count) - frontCount
        for index in 0..<restCount { bytes.append(UInt8(truncatingIfNeeded: self.words.bits >> UInt128(8 * (restCount - 1 - index)))) }
        return bytes
    }
}
