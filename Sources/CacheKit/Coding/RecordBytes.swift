public import ScaleCore

/// The byte layout of a record: a fixed head that a script at the store can read and patch in place, then tags, then the body.
///
/// All integers are big-endian.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 2 | magic `SK` |
/// | 2 | 1 | format version, 1 |
/// | 3 | 1 | flags |
/// | 4 | 16 | nonce |
/// | 20 | 16 | lease token, zero when none |
/// | 36 | 8 | lease deadline, ms by the server's clock |
/// | 44 | 8 | fresh until, ms UTC |
/// | 52 | 8 | physical end, ms UTC |
/// | 60 | 8 | schema fingerprint |
/// | 68 | 8 | incarnation |
/// | 76 | 1+ | number of tags; per tag a 2-byte length, the name, and its 8-byte epoch |
/// | … | | body |
public enum RecordBytes {
    /// The length of the head with the tag count.
    public static let headLength = 77
    static let magic: [UInt8] = [UInt8(ascii: "S"), UInt8(ascii: "K")]
    static let version: UInt8 = 1

    /// The bytes of `record`. A body that is an object has no bytes here and is written as none: encode it before.
    public static func encode(_ record: CacheRecord) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headLength + record.tags.count * 32 + record.body.size)
        bytes += Self.magic
        bytes += [Self.version, record.flags.rawValue]
        bytes += record.nonce.bytes
        bytes += record.lease?.bytes ?? Array(repeating: 0, count: 16)
        bytes += BigEndian.bytes(record.leaseDeadline)
        bytes += BigEndian.bytes(record.freshUntil)
        bytes += BigEndian.bytes(record.physicalEnd)
        bytes += BigEndian.bytes(record.schema)
        bytes += BigEndian.bytes(record.incarnation)
        bytes.append(UInt8(truncatingIfNeeded: record.tags.count))
        for tag in record.tags {
            bytes += BigEndian.bytes(UInt16(truncatingIfNeeded: tag.name.utf8.count))
            bytes += tag.name.utf8
            bytes += BigEndian.bytes(tag.epoch.bits)
        }
        if case .bytes(let body) = record.body { bytes += body }
        return bytes
    }

    /// The record that `bytes` spell; `nil` for an unknown magic, version or flag, and for a head or tags that are cut short.
    public static func decode(_ bytes: [UInt8]) -> CacheRecord? {
        var reader = ByteReader(bytes)
        guard reader.take(2).map(Array.init) == Self.magic,
            reader.integer(UInt8.self) == Self.version,
            let flags = reader.integer(UInt8.self).map(CacheRecord.Flags.init(rawValue:)),
            CacheRecord.Flags.understood.isSuperset(of: flags),
            let nonceHigh = reader.integer(UInt64.self), let nonceLow = reader.integer(UInt64.self),
            let leaseHigh = reader.integer(UInt64.self), let leaseLow = reader.integer(UInt64.self),
            let leaseDeadline = reader.integer(Int64.self),
            let freshUntil = reader.integer(Int64.self),
            let physicalEnd = reader.integer(Int64.self),
            let schema = reader.integer(UInt64.self),
            let incarnation = reader.integer(UInt64.self),
            let tags = self.decodeTags(&reader)
        else { return nil }
        var record = CacheRecord(
            flags: flags, nonce: RecordNonce(high: nonceHigh, low: nonceLow), schema: schema, tags: tags,
            body: .bytes(Array(reader.rest)))
        record.lease = LeaseToken(high: leaseHigh, low: leaseLow)
        record.leaseDeadline = leaseDeadline
        record.freshUntil = freshUntil
        record.physicalEnd = physicalEnd
        record.incarnation = incarnation
        return record
    }

    private static func decodeTags(_ reader: inout ByteReader) -> [TagStamp]? {
        guard let count = reader.integer(UInt8.self) else { return nil }
        var tags: [TagStamp] = []
        tags.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let length = reader.integer(UInt16.self),
                let name = reader.take(Int(length)).flatMap({ String(validating: $0, as: UTF8.self) }),
                let epoch = reader.integer(UInt64.self)
            else { return nil }
            tags.append(TagStamp(name: name, epoch: TagEpoch(bits: epoch)))
        }
        return tags
    }
}

extension CacheRecord {
    /// This record with the times of a life that begins at `now`.
    public func stamped(_ life: CacheLife, at now: UTCTime) -> CacheRecord {
        var record = self
        record.freshUntil = Self.end(of: life.fresh, from: now)
        record.physicalEnd = Self.end(of: life.physical, from: now)
        return record
    }

    private static func end(of duration: Duration?, from now: UTCTime) -> Int64 {
        guard let duration else { return .max }
        let (sum, overflow) = now.millisecondsSinceEpoch.addingReportingOverflow(duration.wholeMillisecondsRoundedUp)
        return overflow ? .max : max(sum, 1)
    }
}

/// Reads bytes from the front; every read says whether there were enough.
struct ByteReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        self.rest = bytes[...]
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= self.rest.count else { return nil }
        defer { self.rest = self.rest.dropFirst(count) }
        return self.rest.prefix(count)
    }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type) -> Value? {
        self.take(Value.bitWidth / 8).flatMap { BigEndian.integer(Value.self, $0) }
    }
}

extension RecordBytes {
    /// The 16 bytes at offset 44: fresh until and physical end of a life that begins at `now`, for stores that patch them in place.
    public static func ends(of life: CacheLife, at now: UTCTime) -> [UInt8] {
        let record = CacheRecord(nonce: RecordNonce(high: 0, low: 0), schema: 0, tags: [], body: .bytes([])).stamped(life, at: now)
        return BigEndian.bytes(record.freshUntil) + BigEndian.bytes(record.physicalEnd)
    }
}
