/// Finds the lines of a head in bytes that arrive in pieces; each byte is looked at once, however the pieces are cut.
///
/// The bytes given to ``next(_:limit:tooLong:)`` always begin at the head's first byte and only ever grow. A line ends with CRLF. A line
/// feed alone and a control character (a carriage return among them) are errors, found as soon as they are there: whoever sends
/// `\r` for line ends, or the first bytes of TLS, is answered at once and not when a time-out strikes.
struct LineReader: Sendable {
    /// Where the line begins that is read now.
    private(set) var lineStart = 0
    /// Bytes before this offset hold no end of that line.
    private var scanned = 0

    mutating func reset() {
        self.lineStart = 0
        self.scanned = 0
    }

    /// The next line without its CRLF, or nil while its end has not arrived.
    ///
    /// - Parameter limit: how long the line may be with its CRLF, beyond which `tooLong` is thrown.
    mutating func next(
        _ bytes: UnsafeRawBufferPointer, limit: Int, tooLong: HTTPViolation
    ) throws(HTTPViolation) -> Range<Int>? {
        let lineFeed = ByteScan.lineFeed(in: bytes, self.scanned..<bytes.count)
        let end = lineFeed ?? bytes.count
        let endsWithReturn = end > self.lineStart && bytes[end - 1] == UInt8(ascii: "\r")
        let contentEnd = endsWithReturn ? end - 1 : end
        try self.refuseControls(bytes, upTo: min(contentEnd, self.lineStart + limit - 1))
        let length = end - self.lineStart + 1
        guard length <= limit else { throw tooLong }
        guard lineFeed != nil else {
            self.scanned = bytes.count
            return nil
        }
        guard endsWithReturn else { throw .bareLineFeed }
        let line = self.lineStart..<contentEnd
        self.lineStart = end + 1
        self.scanned = self.lineStart
        return line
    }

    /// Looks at what is new, and again at the last byte before it, which may have been a carriage return that seemed to end the line.
    private func refuseControls(_ bytes: UnsafeRawBufferPointer, upTo end: Int) throws(HTTPViolation) {
        let start = max(self.lineStart, self.scanned - 1)
        guard start < end else { return }
        guard ByteScan.control(in: bytes, start..<end) == nil else { throw .controlCharacter }
    }
}
