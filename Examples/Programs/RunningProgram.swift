import Foundation
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

/// A built program, run as a user runs it: a process with a working directory and a temporary directory of its own, for the tests of the
/// examples' programs.
///
/// It stands beside `PrivateServer`, which starts servers that are not ours, and beside the library's `ChildProcess`, which follows nginx:
/// the three agree in a few lines of Foundation's `Process`, and differ in what they are for. A server is probed by its port, frozen and
/// killed, and dies with its object; nginx's end is a value that a service awaits, on errors of its library; of a program we want all
/// that it says. No target could hold the common lines that all three may import: the library may not depend on helpers of tests, the
/// servers' helpers on no product, and an example on no internals of the library.
public struct RunningProgram: Sendable {
    public let id: Int32
    private let end: End
    private let directory: URL

    /// Starts the program of that name, which lies beside the test bundle.
    public static func start(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent(name)
        process.arguments = arguments
        process.currentDirectoryURL = directory
        let temporary = directory.appendingPathComponent("temporary")
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary.path]) { $1 }.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let (output, errors) = (try Self.file(directory, "output"), try Self.file(directory, "errors"))
        process.standardOutput = output
        process.standardError = errors
        // Foundation keeps a process that has ended, and what was given to it. From about 1,350 open files on its next start may crash:
        // it looks through them by copies of 256 bytes, the last ones beyond the end of what it has read.
        defer { for file in [output, errors] { try? file.close() } }
        let end = End()
        process.terminationHandler = { end.come($0.terminationStatus) }
        try process.run()
        return RunningProgram(id: process.processIdentifier, end: end, directory: directory)
    }

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
        kill(self.id, number)
    }

    /// Waits for the end, for a minute at most.
    public func outcome() async throws -> ProgramOutcome {
        defer { if self.end.status == nil { kill(self.id, SIGKILL) } }
        let status = try await eventually(within: .seconds(60), "the program ends; it said \(self.errors)") { self.end.status }
        defer { try? FileManager.default.removeItem(at: self.directory) }
        return ProgramOutcome(status: status, output: self.output, errors: self.errors, filesLeft: self.scratchFiles)
    }

    private static func file(_ directory: URL, _ name: String) throws -> FileHandle {
        let url = directory.appendingPathComponent(name)
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }
}

/// `@unchecked Sendable`: `ended` is only touched under the lock.
private final class End: @unchecked Sendable {
    private let lock = NSLock()
    private var ended: Int32?

    var status: Int32? { self.lock.withLock { self.ended } }

    func come(_ status: Int32) {
        self.lock.withLock { self.ended = status }
    }
}
