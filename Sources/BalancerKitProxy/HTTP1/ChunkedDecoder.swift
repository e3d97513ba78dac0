/// Takes the chunked transfer coding off a body that arrives in pieces (RFC 9112 §7.1).
///
/// Data is reported as ranges of the bytes given, never copied. Chunk extensions are checked, bounded over the whole body, and dropped;
/// so are trailers (``TrailerReader``).
struct ChunkedDecoder: Sendable {
    private enum State: Equatable, Sendable {
        case size(digits: Int)
        /// Blanks after the size: an extension or the line's end may follow.
        case afterSize
        case chunkExtension
        case sizeLineFeed
        case data(remaining: Int)
        case dataReturn
        case dataLineFeed
        case trailers
        case finished
    }

    private var state = State.size(digits: 0)
    private var size = 0
    /// Bytes of extensions, and of blanks in their place, in all chunks so far.
    private var extensionLength = 0
    private var trailers: TrailerReader
    private let maximumExtensionLength: Int

    init(limits: HeadLimits) {
        self.maximumExtensionLength = limits.headerLength
        self.trailers = TrailerReader(limits: limits)
    }

    /// Whether the last chunk and the trailer section have been read.
    var isFinished: Bool { self.state == .finished }

    /// Reads on, appends where data stands, and returns how many bytes belong to the body.
    mutating func decode(_ bytes: UnsafeRawBufferPointer, from start: Int, into data: inout [Range<Int>]) throws(HTTPViolation) -> Int {
        var index = start
        while index < bytes.count {
            switch self.state {
            case .data(let remaining):
                let length = min(remaining, bytes.count - index)
                data.append(index..<(index + length))
                index += length
                self.state = length == remaining ? .dataReturn : .data(remaining: remaining - length)
            case .trailers:
                let byte = bytes[index]
                index += 1
                if try self.trailers.read(byte) { self.state = .finished }
            case .finished:
                return index
            case .size, .afterSize, .chunkExtension, .sizeLineFeed, .dataReturn, .dataLineFeed:
                try self.readFraming(bytes[index])
                index += 1
            }
        }
        return index
    }

    private mutating func readFraming(_ byte: UInt8) throws(HTTPViolation) {
        switch self.state {
        case .size(let digits): try self.readSize(byte, digits: digits)
        case .afterSize:
            guard !ByteClass.isBlank(byte) else { return try self.countExtensionByte() }
            try self.endSize(byte)
        case .chunkExtension:
            if byte == UInt8(ascii: "\r") {
                self.state = .sizeLineFeed
            } else {
                guard !ByteClass.isControl(byte) else { throw .malformedChunkExtension }
                try self.countExtensionByte()
            }
        case .sizeLineFeed:
            guard byte == UInt8(ascii: "\n") else { throw .malformedChunkSize }
            self.state = self.size == 0 ? .trailers : .data(remaining: self.size)
        case .dataReturn:
            guard byte == UInt8(ascii: "\r") else { throw .malformedChunkEnd }
            self.state = .dataLineFeed
        case .dataLineFeed:
            guard byte == UInt8(ascii: "\n") else { throw .malformedChunkEnd }
            self.size = 0
            self.state = .size(digits: 0)
        case .data, .trailers, .finished:
            break
        }
    }

    /// At most 16 digits, and a size that fits 63 bits.
    private mutating func readSize(_ byte: UInt8, digits: Int) throws(HTTPViolation) {
        guard let digit = ByteClass.hexadecimal(byte) else {
            guard digits > 0 else { throw .malformedChunkSize }
            guard !ByteClass.isBlank(byte) else {
                self.state = .afterSize
                return try self.countExtensionByte()
            }
            return try self.endSize(byte)
        }
        guard digits < 16, self.size <= Int.max >> 4 else { throw .malformedChunkSize }
        self.size = self.size << 4 | Int(digit)
        self.state = .size(digits: digits + 1)
    }

    private mutating func endSize(_ byte: UInt8) throws(HTTPViolation) {
        switch byte {
        case UInt8(ascii: "\r"): self.state = .sizeLineFeed
        case UInt8(ascii: ";"):
            self.state = .chunkExtension
            try self.countExtensionByte()
        default: throw .malformedChunkSize
        }
    }

    private mutating func countExtensionByte() throws(HTTPViolation) {
        self.extensionLength += 1
        guard self.extensionLength <= self.maximumExtensionLength else { throw .chunkExtensionsTooLarge }
    }
}
