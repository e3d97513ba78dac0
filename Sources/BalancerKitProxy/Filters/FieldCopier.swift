/// Copies the field lines that go on unchanged, as few pieces: neighbours in the original are one copy.
///
/// A line in its plain form, `Name: value` and CRLF, is copied as it stands. Any other white space around its value is made plain.
struct FieldCopier {
    private let bytes: UnsafeRawBufferPointer
    private var run = 0..<0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func copy(_ field: HeaderField, to writer: inout HeadWriter) {
        let name = field.name
        let value = field.value
        let isPlain =
            value.lowerBound == name.upperBound + 2 && self.bytes[name.upperBound + 1] == UInt8(ascii: " ")
            && value.upperBound + 2 <= self.bytes.count && self.bytes[value.upperBound] == UInt8(ascii: "\r")
        guard isPlain else {
            self.finish(to: &writer)
            writer.write(self.bytes, name)
            writer.write(": ")
            writer.write(self.bytes, value)
            writer.write("\r\n")
            return
        }
        if self.run.upperBound != name.lowerBound || self.run.isEmpty {
            self.finish(to: &writer)
            self.run = name.lowerBound..<name.lowerBound
        }
        self.run = self.run.lowerBound..<(value.upperBound + 2)
    }

    mutating func finish(to writer: inout HeadWriter) {
        guard !self.run.isEmpty else { return }
        writer.write(self.bytes, self.run)
        self.run = 0..<0
    }
}
