import Foundation

/// A directory of this process' own, which is gone when it ends.
struct ScratchDirectory: Sendable {
    let path: String

    static func with<Result>(_ body: (ScratchDirectory) async throws -> Result) async throws -> Result {
        try await self.reserved { scratch in
            try scratch.create()
            return try await body(scratch)
        }
    }

    /// As ``with(_:)``, for a body that calls ``create()`` itself: not before it hears signals, or one of them could leave it behind.
    static func reserved<Result>(_ body: (ScratchDirectory) async throws -> Result) async throws -> Result {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("profile-service-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(ScratchDirectory(path: path))
    }

    func create() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: self.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartError("\(self.path): cannot be created; set TMPDIR to a writable directory")
        }
    }
}
