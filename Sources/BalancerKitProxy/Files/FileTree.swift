#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The files below a directory, opened so that no name leads out of it: segment by segment, each in the directory that was opened before,
/// so that nothing that changes meanwhile makes a difference. Its calls block.
struct FileTree: Sendable {
    enum Entry {
        case file(Descriptor)
        case directory
    }

    /// Links that one path may lead through, as in the kernel.
    private static let longestChain = 40

    let root: String
    let symbolicLinks: StaticFiles.SymbolicLinks

    /// - Parameter path: names of one segment each; none of them `..`.
    func open(_ path: [[UInt8]]) throws(FileFailure) -> Entry {
        guard !path.contains(where: { $0.elementsEqual("..".utf8) }) else { throw .forbidden }
        if path.isEmpty, let file = try self.rootAsFile() { return .file(file) }
        let root = try Descriptor.directory(self.root)
        return try self.symbolicLinks == .followed ? Self.follow(path, from: root) : self.walk(path, from: root)
    }

    /// nginx's `alias` may name a file, for a location that is one.
    private func rootAsFile() throws(FileFailure) -> Descriptor? {
        let parts = self.root.utf8.split(separator: UInt8(ascii: "/"))
        guard let name = parts.last, !self.root.hasSuffix("/") else { return nil }
        let parent = try Descriptor.directory("/" + parts.dropLast().map { String(Substring($0)) }.joined(separator: "/"))
        guard try parent.status(of: Array(name), followsLinks: true).kind != .directory else { return nil }
        return try parent.file(Array(name), followsLinks: true)
    }

    /// The kernel goes all the way, links included.
    private static func follow(_ path: [[UInt8]], from root: Descriptor) throws(FileFailure) -> Entry {
        guard !path.isEmpty else { return .directory }
        let name = Array(path.joined(separator: [UInt8(ascii: "/")]))
        switch try root.status(of: name, followsLinks: true).kind {
        case .directory: return .directory
        case .file: return .file(try root.file(name, followsLinks: true))
        case .link, .other: throw .notRegular
        }
    }

    private func walk(_ path: [[UInt8]], from root: Descriptor) throws(FileFailure) -> Entry {
        var directories = [root]
        var pending = Array(path.reversed())
        var links = 0
        while let name = pending.popLast() {
            if name.isEmpty || name.elementsEqual(".".utf8) { continue }
            guard !name.elementsEqual("..".utf8) else {
                // Only a link's target may hold it, and not above the root.
                guard directories.count > 1 else { throw .forbidden }
                directories.removeLast()
                continue
            }
            guard let directory = directories.last else { throw .forbidden }
            switch try directory.status(of: name).kind {
            case .directory: directories.append(try directory.directory(name))
            case .file:
                guard pending.isEmpty else { throw .system(ENOTDIR) }
                return .file(try directory.file(name))
            case .link:
                links += 1
                guard self.symbolicLinks != .refused, links <= Self.longestChain else { throw .forbidden }
                let target = try directory.target(of: name)
                guard let segments = self.segments(ofTarget: target) else { throw .forbidden }
                if target.first == UInt8(ascii: "/") { directories = [root] }
                pending += segments.reversed()
            case .other: throw .notRegular
            }
        }
        return .directory
    }

    /// A link's target, as seen from where it starts; nil for an absolute one that does not lead into the root.
    private func segments(ofTarget target: [UInt8]) -> [[UInt8]]? {
        func split(_ path: [UInt8]) -> [[UInt8]] { path.split(separator: UInt8(ascii: "/")).map(Array.init) }
        let segments = split(target)
        guard target.first == UInt8(ascii: "/") else { return segments }
        let root = split(Array(self.root.utf8))
        guard segments.starts(with: root) else { return nil }
        return Array(segments.dropFirst(root.count))
    }
}
