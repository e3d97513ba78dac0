import NIOCore

/// Puts a body's data into the framing of the other side.
///
/// Small pieces are gathered in the buffer that holds the head anyway, so that a short message is one write; large ones go on as slices
/// of the bytes that were read, without a copy.
struct BodyWriter: Sendable {
    /// Up to here a copy costs less than another entry in the vector of a write.
    static let copyLimit = 4096

    let isChunked: Bool

    /// - Parameters:
    ///   - ranges: where data stands in `buffer`, counted from its reader index.
    ///   - isEnd: whether this is all.
    ///   - staged: what is to be written next; gathers small pieces.
    ///   - write: writes a buffer, after what was staged.
    func write(
        _ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool, staged: inout ByteBuffer, write: (ByteBuffer) -> Void
    ) {
        var length = 0
        for range in ranges { length += range.count }
        if length > 0 {
            if self.isChunked {
                staged.writeHead(estimate: 24) { head in
                    head.writeNumber(length, radix: 16)
                    head.write("\r\n")
                }
            }
            for range in ranges { self.write(range, of: buffer, staged: &staged, write: write) }
            if self.isChunked { staged.writeStaticString("\r\n") }
        }
        if isEnd, self.isChunked { staged.writeStaticString("0\r\n\r\n") }
    }

    private func write(_ range: Range<Int>, of buffer: ByteBuffer, staged: inout ByteBuffer, write: (ByteBuffer) -> Void) {
        if range.count <= Self.copyLimit {
            buffer.withUnsafeReadableBytes { _ = staged.writeBytes(UnsafeRawBufferPointer(rebasing: $0[range])) }
        } else if let slice = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) {
            if staged.readableBytes > 0 {
                write(staged)
                staged = ByteBuffer()
            }
            write(slice)
        }
    }
}
