extension RandomSource {
    /// `count` random bytes; none when `count` is negative.
    package func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(count, 0))
        while bytes.count < count {
            let word = self.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) where bytes.count < count {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return bytes
    }

    /// 128 random bits: unique for as long as anybody will look, and not to be guessed when the source is ``system``.
    package func id128() -> [UInt8] { self.bytes(16) }

    /// 256 random bits, for what grants access by being known, such as a session's id.
    package func id256() -> [UInt8] { self.bytes(32) }

    /// A random UUID, version 4 of RFC 9562, in lower case as Python's `uuid4()` writes it.
    package func uuid() -> String {
        var bytes = self.id128()
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { Hex.encode(bytes[$0]) }.joined(separator: "-")
    }
}
