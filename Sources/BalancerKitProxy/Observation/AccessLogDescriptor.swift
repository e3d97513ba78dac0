#if canImport(Glibc)
import Glibc
// `stat` belongs to whichever of the two modules the compiler happens to load first.
import SwiftOverlayShims
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where the lines of an access log go.
protocol AccessLogSink: Sendable {
    /// Adds lines with their ends. May block.
    ///
    /// - Returns: how many bytes were added, and 0 or the number of what went wrong.
    func append(_ lines: [UInt8]) -> (count: Int, failure: Int32)
}

/// A file open for adding, closed with its last reference. Its calls block.
final class AccessLogDescriptor: AccessLogSink {
    /// What a pipe takes whole, or not at all (`PIPE_BUF`): others may write to it as well.
    private static let pieceLength = 4096
    /// How long a pipe or terminal that is full is waited for, in milliseconds.
    private static let patience: Int32 = 1000

    private let number: Int32
    private let isRegular: Bool

    init(_ path: String) throws(ProxyError) {
        // A FIFO without a reader, or a terminal, is not waited for.
        self.number = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o644)
        var info = stat()
        self.isRegular = self.number >= 0 && fstat(self.number, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
        guard self.number >= 0 else { throw ProxyError(code: .unwritableLog, message: String(cString: strerror(errno)), place: path) }
    }

    deinit { if self.number >= 0 { close(self.number) } }

    func append(_ lines: [UInt8]) -> (count: Int, failure: Int32) {
        lines.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<self.end(of: bytes, from: offset)])
                let count = write(self.number, piece.baseAddress, piece.count)
                if count > 0 {
                    offset += count
                } else if count == 0 {
                    return (offset, EIO)
                } else if errno == EAGAIN {
                    guard self.waits() else { return (offset, EAGAIN) }
                } else if errno != EINTR {
                    return (offset, errno)
                }
            }
            return (offset, 0)
        }
    }

    /// All of it goes to a file at once, and to anything else as many whole lines as it takes at once.
    private func end(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let limit = start + Self.pieceLength
        guard !self.isRegular, limit < bytes.count else { return bytes.count }
        let lineEnd = bytes[start..<limit].lastIndex(of: UInt8(ascii: "\n")) ?? bytes[limit...].firstIndex(of: UInt8(ascii: "\n"))
        return lineEnd.map { $0 + 1 } ?? bytes.count
    }

    private func waits() -> Bool {
        var poll = pollfd(fd: self.number, events: Int16(POLLOUT), revents: 0)
        return withUnsafeMutablePointer(to: &poll) { system_poll($0, Self.patience) } > 0
    }
}

private func system_poll(_ descriptors: UnsafeMutablePointer<pollfd>, _ milliseconds: Int32) -> Int32 {
    poll(descriptors, 1, milliseconds)
}
