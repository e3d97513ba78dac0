import Foundation
import ScaleTesting

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The built `profile-service`, run as a user runs it.
enum ProfileServiceProgram {
    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var errors: String
        /// What it has left in its temporary directory.
        var filesLeft: Int
    }

    /// The program lies beside the test bundle.
    static var url: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("profile-service")
    }

    /// Runs it to its end.
    static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
        let running = try Running.start(arguments, environment: environment)
        return try await running.outcome()
    }

    /// A run that has not ended yet.
    struct Running: Sendable {
        let id: Int32
        private let ended: Announcement<Int32>
        private let directory: URL

        static func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Running {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("profile-service-test-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let process = Process()
            process.executableURL = ProfileServiceProgram.url
            process.arguments = arguments
            process.currentDirectoryURL = directory
            let temporary = directory.appendingPathComponent("temporary")
            try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
            process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary.path]) { $1 }.merging(environment) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = try Self.file(directory, "output")
            process.standardError = try Self.file(directory, "errors")
            let ended = Announcement<Int32>()
            process.terminationHandler = { ended.make($0.terminationStatus) }
            try process.run()
            return Running(id: process.processIdentifier, ended: ended, directory: directory)
        }

        /// What it has written to standard error so far.
        var errors: String { (try? String(contentsOf: self.directory.appendingPathComponent("errors"), encoding: .utf8)) ?? "" }
        /// What it has written to standard output so far.
        var output: String { (try? String(contentsOf: self.directory.appendingPathComponent("output"), encoding: .utf8)) ?? "" }

        /// Waits until it has said `text` on either.
        func says(_ text: String) async throws {
            try await eventually(within: .seconds(60), "the program says: \(text)") { (self.output + self.errors).contains(text) }
        }

        /// The port at which it listens, once it does: of `demo`'s greeting or `serve`'s log.
        func port() async throws -> Int {
            try await eventually(within: .seconds(60), "the program says where it listens; it said \(self.errors)") {
                let text = self.output + self.errors
                guard text.contains("Ctrl-C") || text.contains("serving") else { return nil }
                let place = text.firstMatch(of: /(?:http:\/\/|address=)127\.0\.0\.1:([0-9]+)/)
                return place.flatMap { Int($0.1) }
            }
        }

        /// How many files and directories it has in its temporary directory.
        var scratchFiles: Int {
            (try? FileManager.default.contentsOfDirectory(atPath: self.directory.appendingPathComponent("temporary").path).count) ?? 0
        }

        /// The ids of this process and all that it has started, as long as they run: all have its temporary directory in their environment.
        var family: [Int32] {
            let mark = Data("TMPDIR=\(self.directory.path)/".utf8)
            return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap(Int32.init).filter { id in
                FileManager.default.contents(atPath: "/proc/\(id)/environ")?.range(of: mark) != nil
            }
        }

        /// The ports at which this process listens, as Linux tells.
        var listeningPorts: [Int] {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(self.id)/fd")) ?? []
            let sockets = files.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(self.id)/fd/\($0)") }
            let table = (try? String(contentsOfFile: "/proc/\(self.id)/net/tcp", encoding: .utf8)) ?? ""
            return table.split(separator: "\n").compactMap { line in
                // proc(5): number, local address and port, remote ones, state (0A listens), five others, inode.
                let columns = line.split(separator: " ")
                guard columns.count > 9, columns[3] == "0A", sockets.contains("socket:[\(columns[9])]") else { return nil }
                return columns[1].split(separator: ":").last.flatMap { Int($0, radix: 16) }
            }
        }

        func signal(_ number: Int32) {
            kill(self.id, number)
        }

        /// Waits for the end, for a minute at most.
        func outcome() async throws -> Outcome {
            let watchdog = Task {
                try await Task.sleep(for: .seconds(60))
                kill(self.id, SIGKILL)
            }
            defer { watchdog.cancel() }
            let status = try await self.ended.value()
            defer { try? FileManager.default.removeItem(at: self.directory) }
            return Outcome(status: status, output: self.output, errors: self.errors, filesLeft: self.scratchFiles)
        }

        private static func file(_ directory: URL, _ name: String) throws -> FileHandle {
            let url = directory.appendingPathComponent(name)
            try Data().write(to: url)
            return try FileHandle(forWritingTo: url)
        }
    }
}
