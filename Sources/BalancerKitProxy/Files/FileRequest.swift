/// What a request says that matters for a file, taken out of its head.
struct FileRequest: Sendable {
    /// The path as its meaning is; begins with a slash.
    let path: [UInt8]
    /// The query with its question mark, or nothing.
    let query: [UInt8]
    let method: RequestMethod
    let conditions: FileConditions
    let range: [UInt8]?

    init(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        func first(_ name: String) -> [UInt8]? { head.fields.first(name, bytes).map { Array(bytes[$0]) } }
        func list(_ name: String) -> [UInt8]? {
            var values: [[UInt8]] = []
            for field in head.fields.fields where ByteScan.spells(bytes, field.name, name) { values.append(Array(bytes[field.value])) }
            return values.isEmpty ? nil : Array(values.joined(separator: [UInt8(ascii: ",")]))
        }
        self.method = head.method
        if let target = head.target {
            self.path = target.lacksPath ? [UInt8(ascii: "/")] : NormalizedPath.of(bytes, target.path)
            self.query = Array(bytes[target.path.upperBound..<target.pathAndQuery.upperBound])
        } else {
            self.path = [UInt8(ascii: "/")]
            self.query = []
        }
        self.conditions = FileConditions(
            ifMatch: list("if-match"), ifNoneMatch: list("if-none-match"), ifModifiedSince: first("if-modified-since"),
            ifUnmodifiedSince: first("if-unmodified-since"), ifRange: first("if-range"))
        self.range = first("range")
    }

    /// Where a directory's content is, for the redirect to it: relative to the host, so that no Host field decides where a client is sent.
    var directoryLocation: [UInt8] {
        var location: [UInt8] = []
        for byte in self.path {
            if byte == UInt8(ascii: "/") || ByteClass.isHostName(byte) {
                location.append(byte)
            } else {
                location += [UInt8(ascii: "%"), Self.digit(byte >> 4), Self.digit(byte & 15)]
            }
        }
        return location + [UInt8(ascii: "/")] + self.query
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}

extension ByteScan {
    /// Whether a name is this one, without regard to case.
    static func spells(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ lowercase: String) -> Bool {
        range.count == lowercase.utf8.count && bytes[range].lazy.map(ByteClass.lowercased).elementsEqual(lowercase.utf8)
    }
}
