import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A process of our own, as one part of the service.
struct ChildProcess: Sendable {
    let name: String
    // Foundation's Process is not Sendable; it is started here and afterwards only signalled and waited for, by its id.
    private let id: Int32
    private let ended: Announcement<Int32>
    let log: String

    /// Starts `program ARGUMENTS`, its output going to a file. The program is this one by default.
    static func start(
        _ name: String, _ arguments: [String], of program: URL? = Bundle.main.executableURL, in scratch: ScratchDirectory
    ) throws -> ChildProcess {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let log = "\(scratch.path)/\(name).log"
        guard FileManager.default.createFile(atPath: log, contents: nil) else {
            throw SmokeFailure(description: "\(log) cannot be written")
        }
        let output = FileHandle(forWritingAtPath: log)
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        let ended = Announcement<Int32>()
        process.terminationHandler = { ended.make($0.terminationStatus) }
        do {
            try process.run()
        } catch {
            throw SmokeFailure(description: "\(name) cannot be started: \(error)")
        }
        return ChildProcess(name: name, id: process.processIdentifier, ended: ended, log: log)
    }

    /// Tells the process to end gracefully and waits for it.
    ///
    /// - Returns: its exit status.
    func stop() async throws -> Int32 {
        self.signal(SIGTERM)
        return try await self.ended.value()
    }

    /// As ``stop()``, but the process is killed when it has not ended within `limit`.
    func end(within limit: Duration) async {
        let patience = Task {
            try await Task.sleep(for: limit)
            self.signal(SIGKILL)
        }
        defer { patience.cancel() }
        _ = try? await self.stop()
    }

    /// Whether it is known to have ended. Its id may be another's then.
    var hasEnded: Bool { self.ended.known != nil }

    private func signal(_ number: Int32) {
        if !self.hasEnded { kill(self.id, number) }
    }

    /// What the process wrote last.
    var lastLines: String {
        let text = (try? String(contentsOfFile: self.log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(5).joined(separator: "\n")
    }
}
