#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

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

    /// The system's two words come by one call into the kernel, which costs more than all that is made of them.
    private func twoWords() -> (UInt64, UInt64) {
        #if canImport(Glibc) || canImport(Musl)
        if self.isSystem {
            var words: (UInt64, UInt64) = (0, 0)
            if getentropy(&words, MemoryLayout.size(ofValue: words)) == 0 { return words }
        }
        #endif
        return (self.next(), self.next())
    }

    /// 256 random bits, for what grants access by being known, such as a session's id.
    package func id256() -> [UInt8] { self.bytes(32) }

    /// A random UUID, version 4 of RFC 9562, in lower case as Python's `uuid4()` writes it.
    package func uuid() -> String {
        let bits = self.twoWords()
        let high = bits.0 & ~0xF000 | 0x4000
        let low = bits.1 & ~(0b11 << 62) | 0b10 << 62
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for shift in stride(from: 124, through: 0, by: -4) {
                if position == 8 || position == 13 || position == 18 || position == 23 {
                    text[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = shift >= 64 ? high : low
                text[position] = Hex.digit(of: UInt8(truncatingIfNeeded: word >> UInt64(shift & 63)) & 0xF)
                position += 1
            }
            return position
        }
    }
}
