import NIOCore
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The files of a route: from a request to what is answered. Its calls block.
struct FileSite: Sendable {
    /// How a request ends.
    enum Outcome: Sendable {
        case answer(FileAnswer, Descriptor)
        /// A directory that is asked for without its slash.
        case redirect
        case refuse(status: Int)
        /// A system call failed for a reason that is not the request's; the answer is 500.
        case failure(errno: Int32)
    }

    let files: StaticFiles
    private let tree: FileTree
    /// Bytes of the path that do not count below the directory.
    private let skipped: Int

    init(_ files: StaticFiles, prefix: String) {
        self.files = files
        self.tree = FileTree(root: files.directory, symbolicLinks: files.symbolicLinks)
        self.skipped = files.mapping == .alias ? prefix.utf8.count : 0
    }

    func outcome(_ request: FileRequest) -> Outcome {
        // nginx looks for the file before it refuses POST, and refuses other methods at once.
        guard request.method == .get || request.method == .head || request.method == .post else { return .refuse(status: 405) }
        do {
            return try self.find(request)
        } catch {
            return Self.outcome(of: error)
        }
    }

    private func find(_ request: FileRequest) throws(FileFailure) -> Outcome {
        let segments = request.path.dropFirst(self.skipped).split(separator: UInt8(ascii: "/")).map(Array.init)
        if self.files.hidesDotFiles, segments.contains(where: { $0.first == UInt8(ascii: ".") }) { return .refuse(status: 404) }
        do {
            if request.path.last == UInt8(ascii: "/") { return try self.index(of: segments, request) }
            switch try self.tree.open(segments) {
            case .directory: return .redirect
            case .file(let file): return try self.answer(request, segments.last ?? Array(self.files.directory.utf8), file)
            }
        } catch {
            guard let fallback = self.files.fallbackFile, error.isMissing else { throw error }
            let segments = Array(fallback.utf8).split(separator: UInt8(ascii: "/")).map(Array.init)
            guard case .file(let file) = try self.tree.open(segments) else { throw .notRegular }
            return try self.answer(request, segments.last ?? [], file)
        }
    }

    private func index(of segments: [[UInt8]], _ request: FileRequest) throws(FileFailure) -> Outcome {
        for name in self.files.indexFiles {
            do {
                let names = segments + Array(name.utf8).split(separator: UInt8(ascii: "/")).map(Array.init)
                guard case .file(let file) = try self.tree.open(names) else { continue }
                return try self.answer(request, Array(name.utf8), file)
            } catch {
                guard error.isMissing else { throw error }
            }
        }
        // Without an index it is told apart whether there is such a directory.
        guard case .directory = try self.tree.open(segments) else { throw .system(ENOTDIR) }
        return .refuse(status: 403)
    }

    private func answer(_ request: FileRequest, _ name: [UInt8], _ file: Descriptor) throws(FileFailure) -> Outcome {
        guard request.method != .post else { return .refuse(status: 405) }
        let status = try file.status()
        return .answer(FileAnswer(request, self.files, name: name, status, boundary: Self.boundary), file)
    }

    /// Twenty digits, as in nginx. By chance, so that no file can hold it on purpose.
    private static func boundary() -> String {
        let digits = String(UInt64.random(in: 0...UInt64.max))
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }

    private static func outcome(of failure: FileFailure) -> Outcome {
        switch failure {
        case .forbidden: .refuse(status: 403)
        case .notRegular: .refuse(status: 404)
        case .system(EACCES), .system(EPERM), .system(ELOOP): .refuse(status: 403)
        case .system where failure.isMissing: .refuse(status: 404)
        case .system(let code): .failure(errno: code)
        }
    }
}

extension FileFailure {
    /// Whether there is no such file, as opposed to one that cannot be had.
    fileprivate var isMissing: Bool {
        switch self {
        case .system(ENOENT), .system(ENOTDIR), .system(ENAMETOOLONG): true
        case .system, .forbidden, .notRegular: false
        }
    }
}
