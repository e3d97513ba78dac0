import Foundation
import Programs
import ScaleTesting

/// The built `edge-proxy`, with files of a directory of its own.
final class EdgeProxyProgram {
    let directory: URL

    init() throws {
        self.directory = FileManager.default.temporaryDirectory.appendingPathComponent("edge-proxy-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: self.directory)
    }

    /// Writes a file, and returns its path.
    func file(_ name: String, _ text: String) throws -> String {
        let url = self.directory.appendingPathComponent(name)
        try Data(text.utf8).write(to: url)
        return url.path
    }

    func start(_ arguments: String...) throws -> RunningProgram {
        try RunningProgram.start("edge-proxy", arguments)
    }

    /// To its end.
    func run(_ arguments: String...) async throws -> ProgramOutcome {
        try await RunningProgram.start("edge-proxy", arguments).outcome()
    }
}

extension RunningProgram {
    /// The port at which the proxy listens, once it says so.
    func port() async throws -> Int {
        try await eventually(within: .seconds(60), "the proxy says where it listens; it said \(self.errors)") {
            self.errors.firstMatch(
                of: /proxy is listening.*address=127\.0\.0\.1:([0-9]+)|address=127\.0\.0\.1:([0-9]+).*proxy is listening/
            )
            .flatMap { Int($0.1 ?? $0.2 ?? "") }
        }
    }
}

/// The nginx of this machine, as far as `-t` goes.
enum InstalledNginx {
    static let path = "/usr/sbin/nginx"

    /// How it ends, and what it says of a whole file.
    static func verdict(on file: String, prefix: String) async throws -> ProgramOutcome {
        try await RunningProgram.start(URL(fileURLWithPath: Self.path), ["-t", "-q", "-c", file, "-p", prefix]).outcome()
    }
}
