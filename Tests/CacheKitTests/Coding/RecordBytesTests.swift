import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

@Suite struct RecordBytesTests {
    // MARK: Golden vectors

    /// The layout of the head, as it is documented and as scripts at a server read it.
    private static let nonce = "000102030405060708090a0b0c0d0e0f"
    private static let token = "101112131415161718191a1b1c1d1e1f"
    private static let none = "00000000000000000000000000000000"

    private static func record(_ change: (inout CacheRecord) -> Void) -> CacheRecord {
        var record = CacheRecord(
            nonce: RecordNonce(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F), schema: 0x2021_2223_2425_2627, tags: [],
            body: .bytes([]))
        record.freshUntil = 1_767_225_600_000
        record.physicalEnd = .max
        change(&record)
        return record
    }

    struct Vector: Sendable, CustomStringConvertible {
        let description: String
        let record: CacheRecord
        let hex: String
    }

    static let vectors = [
        Vector(
            description: "a value with two tags",
            record: Self.record {
                $0.tags = [TagStamp(name: "", epoch: TagEpoch(bits: 1)), TagStamp(name: "té", epoch: TagEpoch(bits: .max))]
                $0.body = .bytes([0xCA, 0xFE])
                $0.incarnation = 0x3031_3233_3435_3637
            },
            hex: "534b0100" + Self.nonce + Self.none + "0000000000000000" + "0000019b76daa800" + "7fffffffffffffff" + "2021222324252627"
                + "3031323334353637" + "02" + "0000" + "0000000000000001" + "0003" + "74c3a9" + "ffffffffffffffff" + "cafe"),
        Vector(
            description: "a cached nothing that was expired",
            record: Self.record {
                $0.flags = .negative
                $0.freshUntil = 0
            },
            hex: "534b0102" + Self.nonce + Self.none + "0000000000000000" + "0000000000000000" + "7fffffffffffffff" + "2021222324252627"
                + "0000000000000000" + "00"),
        Vector(
            description: "a lease without a value",
            record: Self.record {
                $0.flags = .empty
                $0.lease = LeaseToken(high: 0x1011_1213_1415_1617, low: 0x1819_1A1B_1C1D_1E1F)
                $0.leaseDeadline = 0x0000_019B_76DA_9C01
                $0.freshUntil = 0
                $0.schema = 0
            },
            hex: "534b0101" + Self.nonce + Self.token + "0000019b76da9c01" + "0000000000000000" + "7fffffffffffffff" + "0000000000000000"
                + "0000000000000000" + "00"),
        Vector(
            description: "a lease on a value",
            record: Self.record {
                $0.lease = LeaseToken(high: 0x1011_1213_1415_1617, low: 0x1819_1A1B_1C1D_1E1F)
                $0.leaseDeadline = -1
                $0.tags = [TagStamp(name: "", epoch: TagEpoch(bits: 0))]
                $0.body = .bytes(Array("v".utf8))
            },
            hex: "534b0100" + Self.nonce + Self.token + "ffffffffffffffff" + "0000019b76daa800" + "7fffffffffffffff" + "2021222324252627"
                + "0000000000000000" + "01" + "0000" + "0000000000000000" + "76"),
    ]

    @Test(arguments: Self.vectors) func `a record has the documented bytes`(vector: Vector) throws {
        let bytes = RecordBytes.encode(vector.record)
        #expect(Hex.encode(bytes) == vector.hex)
        let decoded = try #require(RecordBytes.decode(bytes))
        // Equal in all that has bytes.
        #expect(RecordBytes.encode(decoded) == bytes)
        #expect(decoded.tags == vector.record.tags)
        #expect(decoded.lease == vector.record.lease)
        #expect(decoded.isEmpty == vector.record.isEmpty)
        #expect(Sighting(of: decoded).bytes == Array(bytes.prefix(20)))
        #expect(Sighting(prefix: bytes) == Sighting(of: decoded))
    }

    @Test(arguments: Self.vectors) func `a head or tags that are cut short are no record`(vector: Vector) {
        let bytes = RecordBytes.encode(vector.record)
        let head = bytes.count - vector.record.body.size
        for length in 0..<head { #expect(RecordBytes.decode(Array(bytes.prefix(length))) == nil, "\(length) bytes") }
        for length in head...bytes.count { #expect(RecordBytes.decode(Array(bytes.prefix(length)))?.body.size == length - head) }
    }

    @Test func `an unknown magic, version or flag is no record`() throws {
        let bytes = RecordBytes.encode(Self.vectors[0].record)
        for index in 0..<3 {
            for value in UInt8.min ... .max where value != bytes[index] {
                var damaged = bytes
                damaged[index] = value
                #expect(RecordBytes.decode(damaged) == nil)
            }
        }
        for flags in UInt8.min ... .max {
            var damaged = bytes
            damaged[3] = flags
            #expect((RecordBytes.decode(damaged) != nil) == (flags < 4))
        }
    }

    /// A damaged nonce or lease leaves the value what it was. Whatever else is damaged must not give another value.
    @Test(arguments: [[String](), ["t"], ["t", "u"]]) func `a damaged byte of the head is a miss or harms nothing`(tags: [String]) throws {
        let coding = ValueCoding<[Int]>(
            codec: .json, schema: SchemaFingerprint.of([Int].self, codec: "json"),
            capabilities: CacheStoreCapabilities(maximumValueSize: .max, maximumKeyLength: nil, counters: true))
        let (flags, body) = try coding.encode([1, 2, 3], key: "k")
        let stamps = ([""] + tags).enumerated().map { TagStamp(name: $1, epoch: TagEpoch(bits: 0x0102_0304_0506_0708 + UInt64($0))) }
        var record = CacheRecord(flags: flags, nonce: RecordNonce(high: 1, low: 2), schema: coding.schema, tags: stamps, body: body)
        record.freshUntil = .max
        let epochs: [ExactName: TagEpoch?] = Dictionary(uniqueKeysWithValues: stamps.map { (ExactName($0.name), $0.epoch) })
        let bytes = RecordBytes.encode(record)
        var hits = 0
        for index in 0..<(bytes.count - body.size) {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << bit
                guard case .fresh(let read) = Sight.judge(StoredEntry(bytes: damaged), epochs: epochs, nowMilliseconds: 5) else { continue }
                guard let value = coding.decode(read) else { continue }
                #expect(value == [1, 2, 3], "bit \(bit) of byte \(index)")
                hits += 1
            }
        }
        #expect(hits > 0)
    }

    @Test func `random bytes never trap`() async throws {
        try await withSeed { random in
            let valid = RecordBytes.encode(Self.vectors[0].record)
            for _ in 0..<3_000 {
                var bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                if Bool.random(using: &random) { bytes = Array(valid.prefix(Int.random(in: 0...valid.count, using: &random))) + bytes }
                if let record = RecordBytes.decode(bytes) { try expectEqual(RecordBytes.encode(record), bytes) }
                try expect(StoredEntry(bytes: bytes).sighting.bytes.count <= 20)
            }
        }
    }

    // MARK: Bounds

    @Test func `tags are as many and as long as their lengths can say`() throws {
        let longest = String(repeating: "x", count: Int(UInt16.max))
        let tags = (0..<Int(UInt8.max)).map { TagStamp(name: $0 == 0 ? longest : "\($0)", epoch: TagEpoch(bits: UInt64($0))) }
        let decoded = try #require(RecordBytes.decode(RecordBytes.encode(Self.record { $0.tags = tags })))
        #expect(decoded.tags == tags)
    }

    @Test(arguments: ["0", "-1", "9223372036854775807", "-9223372036854775808"]) func `bare decimals are counters`(text: String) {
        guard case .counter(let value) = StoredEntry(bytes: Array(text.utf8)) else {
            Issue.record("no counter")
            return
        }
        #expect(String(value) == text)
        #expect(StoredEntry.counter(value).sighting == Sighting(prefix: Array(text.utf8)))
    }

    @Test(arguments: ["", "00", "+1", "-0", " 1", "1 ", "1.0", "9223372036854775808", "-9223372036854775809", "x", "SK", "\u{661}"])
    func `other bytes are neither a record nor a counter`(text: String) {
        guard case .unreadable(let sighting) = StoredEntry(bytes: Array(text.utf8)) else {
            Issue.record("readable")
            return
        }
        #expect(sighting == Sighting(prefix: Array(text.utf8)))
        #expect(sighting.bytes == Array(text.utf8).prefix(20).map { $0 })
    }

    @Test func `a sighting tells any two beginnings apart, and lengths below twenty`() {
        let bytes = (0..<24).map { UInt8($0 * 7) }
        #expect((0...20).allSatisfy { Sighting(prefix: bytes.prefix($0)).bytes == Array(bytes.prefix($0)) })
        #expect(Set((0...24).map { Sighting(prefix: bytes.prefix($0)) }).count == 21)
        #expect(Sighting(prefix: [0]) != Sighting(prefix: [0, 0]))
        #expect(Sighting.absent.isAbsent && !Sighting(prefix: [0]).isAbsent)
    }

    @Test func `tokens and nonces are sixteen bytes, and zeros are no token`() {
        #expect(LeaseToken(bytes: Array(repeating: UInt8(0), count: 16)) == nil)
        #expect(LeaseToken(bytes: Array(repeating: UInt8(1), count: 15)) == nil)
        #expect(LeaseToken(bytes: Array(repeating: UInt8(1), count: 17)) == nil)
        let bytes = (1...16).map { UInt8($0) }
        #expect(LeaseToken(bytes: bytes)?.bytes == bytes)
        #expect(RecordNonce(high: 1, low: 2).bytes == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2])
    }

    @Test func `lives saturate at the end of time`() {
        let record = Self.record { _ in }
        let now = UTCTime(millisecondsSinceEpoch: 1_000)
        #expect(record.stamped(CacheLife(nil), at: now).freshUntil == .max)
        #expect(record.stamped(CacheLife(.milliseconds(5)), at: now).freshUntil == 1_005)
        #expect(record.stamped(CacheLife(.nanoseconds(1)), at: now).physicalEnd == 1_001)
        #expect(record.stamped(CacheLife(.seconds(Int64.max)), at: now).physicalEnd > 9_000_000_000_000)
        #expect(record.stamped(CacheLife(.seconds(Int64.min)), at: now).physicalEnd == 1)
        #expect(RecordBytes.ends(of: CacheLife(fresh: .milliseconds(1), physical: nil), at: now).count == 16)
    }
}
