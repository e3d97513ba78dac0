#if canImport(Glibc)
import Glibc
// `stat` belongs to whichever of the two modules the compiler happens to load first.
import SwiftOverlayShims
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What nginx's main process writes into its error log. The workers' lines in between, which are about requests, are not its own.
struct MasterLog: Sendable {
    /// More than nginx says about a reload. What is beyond was written by others.
    private static let mostBytes = 1 << 20

    let path: String
    let processID: Int32

    /// Where the log ends now; what is read from there on is new. O(1), however long the log is.
    var end: Int64 {
        var info = stat()
        return stat(self.path, &info) == 0 ? Int64(info.st_size) : 0
    }

    /// The whole lines from `start` on, or all of them when the log was made anew since.
    func lines(from start: Int64) -> [Substring] {
        let descriptor = open(self.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { _ = close(descriptor) }
        var offset = self.end < start ? 0 : start
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < Self.mostBytes {
            let count = chunk.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
            offset += Int64(count)
        }
        guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        return String(decoding: bytes[..<last], as: UTF8.self).split(separator: "\n").filter(self.isOwn)
    }

    /// `2026/01/31 23:59:59 [notice] 17#17: start worker process 18`: behind the level stand process and thread.
    private func isOwn(_ line: Substring) -> Bool {
        guard let level = line.firstRange(of: "] ") else { return false }
        return line[level.upperBound...].hasPrefix("\(self.processID)#")
    }
}
