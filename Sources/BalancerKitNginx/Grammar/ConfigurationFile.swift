#if canImport(Glibc)
import Glibc
// `stat` belongs to whichever of the two modules the compiler happens to load first.
import SwiftOverlayShims
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Files by name, read whole, with nginx's messages for what goes wrong.
enum ConfigurationFile {
    static func read(_ name: String, at place: NginxPlace? = nil) throws(NginxError) -> [UInt8] {
        guard !name.utf8.contains(0) else { throw NginxError(code: .unreadable, message: "a file's name has a zero byte", place: place) }
        // A FIFO's writer is not waited for, which nginx does without end.
        let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw Self.failure("open()", name, place) }
        defer { _ = close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw Self.failure("fstat()", name, place) }
        // A directory fails below, in nginx's words.
        guard [S_IFREG, S_IFDIR].contains(info.st_mode & S_IFMT) else {
            throw NginxError(code: .unreadable, message: "\"\(name)\" is not a regular file", place: place)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { system_read(descriptor, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("read()", name, place) }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= Inclusion.mostBytes else {
                throw NginxError(code: .tooLarge, message: "\"\(name)\" has more than 64 MiB", place: place)
            }
        }
    }

    /// Names that match a shell's mask, sorted.
    static func matching(_ mask: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(mask, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
    }

    static func path(_ name: String, below prefix: String) -> String {
        name.hasPrefix("/") ? name : "\(prefix)/\(name)"
    }

    /// The directory of a file, without the last slash; `.` when the name has none.
    static func directory(of name: String) -> String {
        guard let slash = name.lastIndex(of: "/") else { return "." }
        return slash == name.startIndex ? "" : String(name[..<slash])
    }

    private static func failure(_ call: String, _ name: String, _ place: NginxPlace?) -> NginxError {
        let number = errno
        let reason = strerror(number).map { String(cString: $0) } ?? ""
        return NginxError(code: .unreadable, message: "\(call) \"\(name)\" failed (\(number): \(reason))", place: place)
    }
}

private func system_read(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}
