import NIOCore

#if canImport(Glibc)
import Glibc
// `stat` and `timespec` belong to whichever of the two modules the compiler happens to load first.
import SwiftOverlayShims
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Why a file cannot be had.
enum FileFailure: Error, Equatable {
    /// A system call failed.
    case system(Int32)
    /// It leads where nothing may be taken from, or through a link that is not followed.
    case forbidden
    /// It is there, and no regular file.
    case notRegular
}

/// An open file, closed with its last reference. Its calls block, so they belong on a thread for that.
final class Descriptor: Sendable {
    let number: Int32

    fileprivate init(_ number: Int32) {
        self.number = number
    }

    deinit { close(self.number) }

    #if os(Linux)
    /// `O_PATH`, which wants the right to pass through a directory and not to list it; its name is not among those that Swift sees.
    private static let directoryFlags = 0o10000000 | O_DIRECTORY | O_CLOEXEC
    #else
    private static let directoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    #endif

    /// Opens a directory, wherever its path leads.
    static func directory(_ path: String) throws(FileFailure) -> Descriptor {
        Descriptor(try Self.check { open(path, Self.directoryFlags) })
    }

    /// Opens a directory in this one, which is no link.
    func directory(_ name: [UInt8]) throws(FileFailure) -> Descriptor {
        Descriptor(try Self.named(name) { openat(self.number, $0, Self.directoryFlags | O_NOFOLLOW) })
    }

    /// Opens a regular file in this one, which is no link.
    func file(_ name: [UInt8], followsLinks: Bool = false) throws(FileFailure) -> Descriptor {
        // Something else may have taken the file's place since it was looked at: no waiting for a FIFO's writer, no terminal of ours.
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW)
        let file = Descriptor(try Self.named(name) { openat(self.number, $0, flags) })
        guard try file.status().kind == .file else { throw .notRegular }
        return file
    }

    enum Kind: Equatable, Sendable {
        case file
        case directory
        case link
        case other
    }

    struct Status: Equatable, Sendable {
        var kind: Kind
        var size: Int64
        /// Second and nanosecond of the last change.
        var modified: Int64
        var modifiedNanosecond: Int64
        /// Which file it is on its device.
        var identity: UInt64
    }

    /// What stands at a path, links followed; nil where nothing can be seen.
    static func status(ofPath path: String) -> Status? {
        var info = stat()
        return stat(path, &info) == 0 ? Self.status(info) : nil
    }

    func status() throws(FileFailure) -> Status {
        var info = stat()
        _ = try Self.check { fstat(self.number, &info) }
        return Self.status(info)
    }

    /// What stands in this directory under a name.
    func status(of name: [UInt8], followsLinks: Bool = false) throws(FileFailure) -> Status {
        var info = stat()
        _ = try Self.named(name) { fstatat(self.number, $0, &info, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        return Self.status(info)
    }

    /// Where a link in this directory leads.
    func target(of name: [UInt8]) throws(FileFailure) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: 4096)
        let length = try Self.named(name) { name in
            Int32(
                clamping: target.withUnsafeMutableBytes { memory in
                    memory.withMemoryRebound(to: CChar.self) { text in
                        text.baseAddress.map { readlinkat(self.number, name, $0, text.count) } ?? -1
                    }
                })
        }
        guard Int(length) < target.count else { throw .system(ENAMETOOLONG) }
        return Array(target[..<Int(length)])
    }

    /// Reads from an offset; an empty buffer at the end.
    func read(at offset: Int64, _ count: Int, _ allocator: ByteBufferAllocator) throws(FileFailure) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: count)
        var failure: Int32 = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            while true {
                guard let start = memory.baseAddress else { return 0 }
                let length = pread(self.number, start, count, off_t(offset))
                if length >= 0 { return length }
                guard errno == EINTR else {
                    failure = errno
                    return 0
                }
            }
        }
        guard failure == 0 else { throw .system(failure) }
        return buffer
    }

    private static func status(_ info: stat) -> Status {
        let kind: Kind =
            switch info.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .other
            }
        #if canImport(Darwin)
        let time = info.st_mtimespec
        #else
        let time = info.st_mtim
        #endif
        return Status(
            kind: kind, size: Int64(info.st_size), modified: Int64(time.tv_sec), modifiedNanosecond: Int64(time.tv_nsec),
            identity: UInt64(info.st_ino))
    }

    private static func named(_ name: [UInt8], _ call: (UnsafePointer<CChar>) -> Int32) throws(FileFailure) -> Int32 {
        // What a name is to C ends with its first zero.
        guard !name.contains(0) else { throw .forbidden }
        let text = name.map(CChar.init(bitPattern:)) + [0]
        return try Self.check { text.withUnsafeBufferPointer { $0.baseAddress.map(call) ?? -1 } }
    }

    private static func check(_ call: () -> Int32) throws(FileFailure) -> Int32 {
        while true {
            let result = call()
            if result >= 0 { return result }
            guard errno == EINTR else { throw .system(errno) }
        }
    }
}
