import CacheKit
import ScaleCore
import ScaleRedis

extension Duration {
    /// Whole milliseconds, at least 1 and at most what Redis takes as an expiry (far beyond a million years).
    var redisMilliseconds: RedisArgument {
        RedisArgument(min(max(self.wholeMillisecondsRoundedUp, 1), 1 << 53))
    }
}

extension CacheLife {
    /// How long the server keeps the record; nothing when forever.
    var redisMilliseconds: RedisArgument {
        self.physical?.redisMilliseconds ?? ""
    }
}

extension LeaseToken {
    var bytes: [UInt8] { self.bits.bigEndianBytes }

    /// Nil unless there are 16 bytes, not all zero.
    init?(bytes: [UInt8]) {
        guard let bits = UInt128(bigEndian: bytes) else { return nil }
        self.init(bits: bits)
    }
}

extension FixedWidthInteger {
    var bigEndianBytes: [UInt8] {
        withUnsafeBytes(of: self.bigEndian) { Array($0) }
    }

    /// Nil unless `bytes` are exactly as many as the type has.
    init?(bigEndian bytes: [UInt8]) {
        guard bytes.count == Self.bitWidth / 8 else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }
}
