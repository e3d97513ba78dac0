/// The checksum of zlib and of nginx's `hash` (reflected, polynomial 0xEDB88320).
struct CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    private var state: UInt32 = 0xFFFF_FFFF

    mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { self.state = Self.table[Int(UInt8(truncatingIfNeeded: self.state) ^ byte)] ^ (self.state >> 8) }
    }

    var value: UInt32 { ~self.state }
}
