extension JSONValue {
    /// This value as compact UTF-8 JSON. Doubles that JSON has no form for are written as Python does: `NaN`, `Infinity`, `-Infinity`.
    public func jsonBytes() -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(self.writtenBytes)
        self.write(to: &output)
        return output
    }

    /// This value as compact JSON text.
    public func jsonText() -> String {
        String(decoding: self.jsonBytes(), as: UTF8.self)
    }

    /// How long the text is, about: without what is escaped in strings.
    private var writtenBytes: Int {
        switch self {
        case .null, .bool: 5
        case .integer, .double: 20
        case .bigInteger(let text), .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + $1.writtenBytes + 1 }
        case .object(let object): object.reduce(2) { $0 + $1.key.utf8.count + $1.value.writtenBytes + 4 }
        }
    }

    private func write(to output: inout [UInt8]) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): output.append(contentsOf: String(value).utf8)
        case .bigInteger(let digits): output.append(contentsOf: digits.utf8)
        case .double(let value): output.append(contentsOf: Self.text(of: value).utf8)
        case .string(let value): Self.write(value, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                element.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            for (index, (key, value)) in object.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.write(key, to: &output)
                output.append(UInt8(ascii: ":"))
                value.write(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return value.description
    }

    private static func write(_ string: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { bytes in
            // Copied in runs: few bytes need an escape.
            var start = 0
            for index in bytes.indices where Self.needsEscape(bytes[index]) {
                output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<index]))
                Self.writeEscape(of: bytes[index], to: &output)
                start = index + 1
            }
            output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start...]))
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func writeEscape(of byte: UInt8, to output: inout [UInt8]) {
        let hex: StaticString = "0123456789abcdef"
        switch byte {
        case 0x08: output.append(contentsOf: "\\b".utf8)
        case 0x0C: output.append(contentsOf: "\\f".utf8)
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0..<0x20:
            output.append(contentsOf: "\\u00".utf8)
            output.append(hex.utf8Start[Int(byte >> 4)])
            output.append(hex.utf8Start[Int(byte & 15)])
        default:
            output.append(UInt8(ascii: "\\"))
            output.append(byte)
        }
    }
}
