/// 128 random bits that name one writing of a record.
///
/// They are two words and no `UInt128`: a value that stores one and comes back from an async call through an existential overwrites its
/// neighbours in the calling task's memory (Swift 6.3 on Linux).
public struct RecordNonce: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A nonce that no other record has.
    public static func random(using generator: inout some RandomNumberGenerator) -> RecordNonce {
        RecordNonce(high: generator.next(), low: generator.next())
    }

    /// The nonce as a record's head holds it: 16 bytes.
    public var bytes: [UInt8] { BigEndian.bytes(self.high) + BigEndian.bytes(self.low) }
}
