import Foundation
import ScaleCore

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
    ///
    /// - Parameter environment: what is added to this process' own.
    static func start(
        _ name: String, _ arguments: [String], of program: URL? = Bundle.main.executableURL, in scratch: ScratchDirectory,
        environment: [String: String] = [:]
    ) throws -> ChildProcess {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let log = "\(scratch.path)/\(name).log"
        guard FileManager.default.fileExists(atPath: log) || FileManager.default.createFile(atPath: log, contents: nil),
            let output = FileHandle(forWritingAtPath: log), (try? output.seekToEnd()) != nil
        else { throw SmokeFailure(description: "\(log) cannot be written") }
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        // The process keeps its own; this one's would stay open for as long as Foundation remembers it.
        defer { try? output.close() }
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

    /// Waits for the end of a process that ends by itself, and kills it when it does not within `limit`.
    ///
    /// - Returns: its exit status; nil when it had to be killed.
    func ending(within limit: Duration) async throws -> Int32? {
        let wasLate = Locked(false)
        let patience = Task {
            try await Task.sleep(for: limit)
            wasLate.withLock { $0 = true }
            self.signal(SIGKILL)
        }
        defer { patience.cancel() }
        let status = try await self.ended.value()
        return wasLate.withLock { $0 } ? nil : status
    }

    /// Ends the process as a crash would, without a chance to clean up, and waits for its end.
    func crash() async throws {
        self.signal(SIGKILL)
        _ = try await self.ended.value()
    }

    /// Whether it is known to have ended. Its id may be another's then.
    var hasEnded: Bool { self.ended.known != nil }

    private func signal(_ number: Int32) {
        if !self.hasEnded { kill(self.id, number) }
    }

    /// What the process has written.
    var output: String { (try? String(contentsOfFile: self.log, encoding: .utf8)) ?? "" }

    /// What the process wrote last.
    var lastLines: String {
        self.output.split(separator: "\n").suffix(5).joined(separator: "\n")
    }
}
