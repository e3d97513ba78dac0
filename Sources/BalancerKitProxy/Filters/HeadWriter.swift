import NIOCore

/// Writes a head into raw memory: a bounds check for each piece, and none of a buffer's reference counting.
///
/// What does not fit is only counted, so that the head can be written again with enough room.
struct HeadWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// Bytes of the head so far, whether they fitted or not.
    private(set) var count = 0

    fileprivate init(_ memory: UnsafeMutableRawBufferPointer) {
        self.memory = memory
    }

    fileprivate var fits: Bool { self.count <= self.memory.count }

    @inline(__always) private mutating func append(_ start: UnsafeRawPointer, _ length: Int) {
        let offset = self.count
        self.count = offset &+ length
        guard self.count <= self.memory.count, let base = self.memory.baseAddress else { return }
        (base + offset).copyMemory(from: start, byteCount: length)
    }

    @inline(__always) mutating func write(_ text: StaticString) {
        self.append(text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Writes a part of other bytes.
    @inline(__always) mutating func write(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
        guard let base = piece.baseAddress, !piece.isEmpty else { return }
        self.append(base, piece.count)
    }

    @inline(__always) mutating func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.write($0, 0..<$0.count) }
    }

    mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { self.write(UnsafeRawBufferPointer($0), 0..<$0.count) }
    }

    /// Writes a name in lower case.
    mutating func writeLowercased(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        let offset = self.count
        self.count = offset &+ range.count
        guard self.fits else { return }
        for (index, byte) in bytes[range].enumerated() { self.memory[offset + index] = ByteClass.lowercased(byte) }
    }

    /// Writes a number that is not negative in the given base, without a detour over a string.
    mutating func writeNumber(_ number: Int, radix: Int = 10) {
        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 1) { digits in
            var index = 24
            var rest = UInt(bitPattern: number)
            let radix = UInt(bitPattern: radix)
            repeat {
                index -= 1
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: radix)
                let digit = UInt8(truncatingIfNeeded: remainder)
                digits[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                rest = quotient
            } while rest > 0
            self.write(UnsafeRawBufferPointer(digits), index..<24)
        }
    }
}

extension ByteBuffer {
    /// Appends what `body` writes. `body` is called again when it writes more than `estimate` bytes, so it must write the same each time.
    mutating func writeHead(estimate: Int, _ body: (inout HeadWriter) -> Void) {
        var room = estimate
        while true {
            var needed = 0
            let written = self.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
                var writer = HeadWriter(memory)
                body(&writer)
                needed = writer.count
                return writer.fits ? needed : 0
            }
            guard written < needed else { return }
            room = needed
        }
    }
}
