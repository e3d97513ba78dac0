/// One field line, as offsets into the bytes of its head.
///
/// Offsets are 32 bits wide, which keeps a field at 20 bytes; heads are bounded far below that (``HeadLimits``).
struct HeaderField: Sendable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32
    let id: KnownField

    init(name: Range<Int>, value: Range<Int>, id: KnownField) {
        self.nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
        self.nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
        self.valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        self.valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
        self.id = id
    }

    /// Where the name stands.
    var name: Range<Int> { Int(self.nameStart)..<Int(self.nameEnd) }

    /// Where the value stands, without the blanks around it.
    var value: Range<Int> { Int(self.valueStart)..<Int(self.valueEnd) }
}
