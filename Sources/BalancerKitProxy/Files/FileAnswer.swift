import ScaleCore

/// What a client gets for a file: the head's own lines, and of what the body is made. A value; ``FileTransfer`` sends it.
struct FileAnswer: Sendable {
    enum Piece: Equatable, Sendable {
        case text([UInt8])
        /// A part of the file.
        case file(Range<Int64>)
    }

    var status: Int
    /// Lines with their ends, without those that every answer has.
    var fields: [UInt8]
    var body: [Piece] = []

    /// The body's length, also where it is not sent.
    private(set) var length: Int64 = 0
    /// The second of the file's last change.
    private(set) var modified: Int64 = 0

    private init(status: Int, _ fields: String, _ body: [Piece] = []) {
        self.status = status
        self.fields = Array(fields.utf8)
        self.body = body
        for piece in body {
            switch piece {
            case .text(let text): self.length += Int64(text.count)
            case .file(let range): self.length += range.upperBound - range.lowerBound
            }
        }
    }

    /// - Parameters:
    ///   - name: of the file, for its type.
    ///   - boundary: between the parts of several ranges.
    init(_ request: FileRequest, _ files: StaticFiles, name: [UInt8], _ status: Descriptor.Status, boundary: () -> String) {
        defer { self.modified = status.modified }
        let tag = files.sendsETag ? Self.tag(status) : nil
        let validators =
            "Last-Modified: \(HTTPDate.text(ofSecond: status.modified))\r\n" + (tag.map { "ETag: \($0)\r\n" } ?? "")
            + (files.cacheControl.map { "Cache-Control: \($0)\r\n" } ?? "")
        let tagBytes = tag.map { Array($0.utf8) }
        switch request.conditions.verdict(tag: tagBytes, modified: status.modified, check: files.ifModifiedSince) {
        case .failed: self.init(status: 412, "")
        case .notModified: self.init(status: 304, validators)
        case .send:
            let type = files.contentType(of: name)
            let typeLine = type.isEmpty ? "" : "Content-Type: \(type)\r\n"
            let whole = typeLine + validators + (files.maximumRanges > 0 ? "Accept-Ranges: bytes\r\n" : "")
            // Ranges are defined for GET alone (RFC 9110 §14.2).
            guard let range = request.range, request.method == .get, files.maximumRanges > 0,
                request.conditions.allowsRange(tag: tagBytes, modified: status.modified)
            else {
                self.init(status: 200, whole, [.file(0..<status.size)])
                return
            }
            switch ByteRanges(range, length: status.size, maximumCount: files.maximumRanges) {
            case .whole: self.init(status: 200, whole, [.file(0..<status.size)])
            case .unsatisfiable: self.init(status: 416, "Content-Range: bytes */\(status.size)\r\n")
            case .parts(let parts):
                guard parts.count > 1 else {
                    let line = parts.first.map { Self.contentRange($0, status.size) } ?? ""
                    self.init(status: 206, typeLine + validators + line, parts.map(Piece.file))
                    return
                }
                // What stands between the parts could take the length beyond what a number holds.
                guard status.size < .max >> 1 else {
                    self.init(status: 200, whole, [.file(0..<status.size)])
                    return
                }
                let boundary = boundary()
                self.init(
                    status: 206, "Content-Type: multipart/byteranges; boundary=\(boundary)\r\n" + validators,
                    Self.multipart(parts, status.size, typeLine, boundary))
            }
        }
    }

    private static func multipart(_ parts: [Range<Int64>], _ size: Int64, _ typeLine: String, _ boundary: String) -> [Piece] {
        var pieces: [Piece] = []
        for part in parts {
            pieces.append(.text(Array("\r\n--\(boundary)\r\n\(typeLine)\(Self.contentRange(part, size))\r\n".utf8)))
            pieces.append(.file(part))
        }
        return pieces + [.text(Array("\r\n--\(boundary)--\r\n".utf8))]
    }

    private static func contentRange(_ part: Range<Int64>, _ size: Int64) -> String {
        "Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)\r\n"
    }

    /// nginx's: the second of the last change and the size, both in hexadecimal digits.
    private static func tag(_ status: Descriptor.Status) -> String {
        "\"\(String(UInt64(bitPattern: status.modified), radix: 16))-\(String(UInt64(bitPattern: status.size), radix: 16))\""
    }
}

extension HTTPDate {
    fileprivate static func text(ofSecond second: Int64) -> String {
        let (nanoseconds, overflow) = second.multipliedReportingOverflow(by: 1_000_000_000)
        return String(decoding: Self.bytes(of: .init(nanosecondsSinceEpoch: overflow ? 0 : nanoseconds)), as: UTF8.self)
    }
}

extension StaticFiles {
    /// By what follows the last dot of a name, without regard to case.
    fileprivate func contentType(of name: [UInt8]) -> String {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return self.defaultContentType }
        let suffix = String(decoding: name[(dot + 1)...].map(ByteClass.lowercased), as: UTF8.self)
        return self.contentTypes[suffix] ?? self.defaultContentType
    }
}
