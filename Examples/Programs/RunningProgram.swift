public import Foundation
import PrivateServers
import ScaleTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How a program ended.
public struct ProgramOutcome: Sendable {
    public var status: Int32
    public var output: String
    public var errors: String
    /// What it has left in its temporary directory.
    public var filesLeft: Int
}

/// A program, run as a user runs it: a process with a working directory and a temporary directory of its own, for the tests of the
/// examples' programs. It ends with the last reference to it at the latest.
public struct RunningProgram: Sendable {
    private let process: ChildProcess
    private let directory: URL

    /// Starts the program of that name, which lies beside the test bundle.
    public static func start(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        guard let program = ChildProcess.built(name) else { throw TestFailure("no \(name) is built") }
        return try Self.start(program, arguments, environment: environment)
    }

    public static func start(_ program: URL, _ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("\(program.lastPathComponent)-test-\(UUID().uuidString)")
        let temporary = directory.appendingPathComponent("temporary")
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        let process = try ChildProcess(
            program, arguments, environment: ["TMPDIR": temporary.path].merging(environment) { $1 }, directory: directory,
            files: (directory.appendingPathComponent("output"), directory.appendingPathComponent("errors")))
        return RunningProgram(process: process, directory: directory)
    }

    public var id: Int32 { self.process.id }

    /// What it has written to standard error so far.
    public var errors: String { (try? String(contentsOf: self.directory.appendingPathComponent("errors"), encoding: .utf8)) ?? "" }
    /// What it has written to standard output so far.
    public var output: String { (try? String(contentsOf: self.directory.appendingPathComponent("output"), encoding: .utf8)) ?? "" }

    /// Waits until it has said `text` on either.
    public func says(_ text: String) async throws {
        try await eventually(within: .seconds(60), "the program says: \(text)") { (self.output + self.errors).contains(text) }
    }

    /// How many files and directories it has in its temporary directory.
    public var scratchFiles: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: self.directory.appendingPathComponent("temporary").path).count) ?? 0
    }

    /// The ids of this process and all that it has started, as long as they run: all have its temporary directory in their environment.
    public var family: [Int32] {
        let mark = Data("TMPDIR=\(self.directory.path)/".utf8)
        return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap(Int32.init).filter { id in
            FileManager.default.contents(atPath: "/proc/\(id)/environ")?.range(of: mark) != nil
        }
    }

    public func signal(_ number: Int32) {
        self.process.send(number)
    }

    /// Waits for the end, and kills what has not ended in time.
    public func outcome(within limit: Duration = .seconds(60)) async throws -> ProgramOutcome {
        defer { if self.process.isRunning { self.process.send(SIGKILL) } }
        let status = try await eventually(within: limit, "the program ends; it said \(self.errors)") { self.process.status }
        defer { try? FileManager.default.removeItem(at: self.directory) }
        return ProgramOutcome(status: status, output: self.output, errors: self.errors, filesLeft: self.scratchFiles)
    }
}
