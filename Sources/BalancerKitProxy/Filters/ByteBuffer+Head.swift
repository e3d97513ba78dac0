import NIOCore

extension ByteBuffer {
    /// Writes a part of other bytes.
    @inline(__always) mutating func write(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    @inline(__always) mutating func write(_ text: StaticString) {
        self.writeBytes(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Writes a number that is not negative in the given base, without a detour over a string.
    mutating func writeNumber(_ number: Int, radix: Int = 10) {
        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 1) { digits in
            var index = 24
            var rest = number
            repeat {
                index -= 1
                let digit = UInt8(truncatingIfNeeded: rest % radix)
                digits[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                rest /= radix
            } while rest > 0
            self.writeBytes(UnsafeRawBufferPointer(rebasing: digits[index..<24]))
        }
    }
}

/// Copies the field lines that go on unchanged, as few pieces: neighbours in the original are one copy.
///
/// A line in its plain form, `Name: value` and CRLF, is copied as it stands. Any other white space around its value is made plain.
struct FieldCopier {
    private let bytes: UnsafeRawBufferPointer
    private var run = 0..<0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func copy(_ field: HeaderField, to buffer: inout ByteBuffer) {
        let name = field.name
        let value = field.value
        let isPlain =
            value.lowerBound == name.upperBound + 2 && self.bytes[name.upperBound + 1] == UInt8(ascii: " ")
            && value.upperBound + 2 <= self.bytes.count && self.bytes[value.upperBound] == UInt8(ascii: "\r")
        guard isPlain else {
            self.finish(to: &buffer)
            buffer.write(self.bytes, name)
            buffer.write(": ")
            buffer.write(self.bytes, value)
            buffer.write("\r\n")
            return
        }
        if self.run.upperBound != name.lowerBound || self.run.isEmpty {
            self.finish(to: &buffer)
            self.run = name.lowerBound..<name.lowerBound
        }
        self.run = self.run.lowerBound..<(value.upperBound + 2)
    }

    mutating func finish(to buffer: inout ByteBuffer) {
        guard !self.run.isEmpty else { return }
        buffer.write(self.bytes, self.run)
        self.run = 0..<0
    }
}
