/// 128 random bits that name one load. Zero is no token.
public struct LeaseToken: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    /// `nil` when all bits are zero.
    public init?(high: UInt64, low: UInt64) {
        guard high != 0 || low != 0 else { return nil }
        self.high = high
        self.low = low
    }

    /// The token that 16 bytes spell; `nil` for another number of bytes, and for zeros.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16, let high = BigEndian.integer(UInt64.self, bytes.prefix(8)),
            let low = BigEndian.integer(UInt64.self, bytes.dropFirst(8))
        else { return nil }
        self.init(high: high, low: low)
    }

    /// A token that nobody else has.
    public static func random(using generator: inout some RandomNumberGenerator) -> LeaseToken {
        while true {
            if let token = LeaseToken(high: generator.next(), low: generator.next()) { return token }
        }
    }

    /// The token as a record's head holds it: 16 bytes.
    public var bytes: [UInt8] { BigEndian.bytes(self.high) + BigEndian.bytes(self.low) }
}
