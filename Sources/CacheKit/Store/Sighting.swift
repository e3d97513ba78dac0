/// What a reader saw at a key, exactly enough to notice any change: nothing, or the first bytes of what is stored.
///
/// Of a record these are magic, version, flags and nonce. Bytes that are no record (of a newer format, or damaged) are named by their
/// beginning all the same, so that they too can be replaced by the one who saw them, and by nobody else.
public struct Sighting: Hashable, Sendable {
    /// How many bytes of a stored value identify it.
    public static let length = 20

    // The bytes in their order, zeros where there are none.
    private var front: UInt32 = 0
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    /// How many bytes there were, at most ``length``; zero when nothing was stored.
    private var count: UInt8 = 0

    /// Nothing was stored.
    public static let absent = Sighting(prefix: [])

    /// What is stored begins with these bytes; more than the first ``length`` are ignored.
    public init(prefix: some Sequence<UInt8>) {
        for (index, byte) in prefix.prefix(Self.length).enumerated() {
            switch index {
            case 0..<4: self.front |= UInt32(byte) << UInt32(8 * (3 - index))
            case 4..<12: self.high |= UInt64(byte) << UInt64(8 * (11 - index))
            default: self.low |= UInt64(byte) << UInt64(8 * (19 - index))
            }
            self.count += 1
        }
    }

    /// A record with these flags and this nonce is stored.
    public init(of record: CacheRecord) {
        self.init(flags: record.flags, nonce: record.nonce)
    }

    /// A record with these flags and this nonce is stored.
    public init(flags: CacheRecord.Flags, nonce: RecordNonce) {
        let magic = UInt32(RecordBytes.magic[0]) << 24 | UInt32(RecordBytes.magic[1]) << 16
        self.front = magic | UInt32(RecordBytes.version) << 8 | UInt32(flags.rawValue)
        self.high = nonce.high
        self.low = nonce.low
        self.count = UInt8(Self.length)
    }

    public var isAbsent: Bool { self.count == 0 }

    /// The bytes that were seen; none when nothing was stored.
    public var bytes: [UInt8] {
        let all = BigEndian.bytes(self.front) + BigEndian.bytes(self.high) + BigEndian.bytes(self.low)
        return Array(all.prefix(Int(self.count)))
    }
}
