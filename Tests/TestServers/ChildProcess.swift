public import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A process that a test starts, talks to and ends: by its process id, and at the latest with this object.
///
/// `@unchecked Sendable`: `Process` is only started here, and is then asked whether it runs and for its id; the rest never changes.
public final class ChildProcess: @unchecked Sendable {
    private let process = Process()
    private let name: String
    private let input: FileHandle?
    private let outputFile: URL?

    /// Starts it.
    ///
    /// - Parameters:
    ///   - environment: beside what this process has itself.
    ///   - talks: whether its input comes from ``write(_:)`` and ``output`` shows what it writes; else there is neither.
    public init(_ executable: URL, _ arguments: [String], environment: [String: String] = [:], talks: Bool = false) throws {
        self.name = executable.lastPathComponent
        self.process.executableURL = executable
        self.process.arguments = arguments
        if !environment.isEmpty {
            self.process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        // The child has its own; this one's would stay open for as long as Foundation remembers it.
        var ours: FileHandle?
        defer { try? ours?.close() }
        if talks {
            // A write to a process that has gone is an error to see, and not the end of this one.
            _ = signal(SIGPIPE, SIG_IGN)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-\(self.name)-\(UUID().uuidString).log")
            guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
                throw Failure(message: "no file for the output of \(self.name)")
            }
            let (pipe, output) = (Pipe(), try FileHandle(forWritingTo: file))
            self.process.standardInput = pipe
            self.process.standardOutput = output
            self.process.standardError = output
            ours = output
            self.input = pipe.fileHandleForWriting
            self.outputFile = file
        } else {
            self.process.standardInput = FileHandle.nullDevice
            self.process.standardOutput = FileHandle.nullDevice
            self.process.standardError = FileHandle.nullDevice
            self.input = nil
            self.outputFile = nil
        }
        try Self.withAllSignals { try self.process.run() }
    }

    deinit {
        self.send(SIGKILL)
        if let outputFile { try? FileManager.default.removeItem(at: outputFile) }
    }

    public var isRunning: Bool { self.process.isRunning }

    /// Sends a signal, unless the process has ended: its id may be another's then.
    public func send(_ signal: Int32) {
        guard self.process.isRunning else { return }
        #if canImport(Glibc)
        _ = Glibc.kill(self.process.processIdentifier, signal)
        #elseif canImport(Musl)
        _ = Musl.kill(self.process.processIdentifier, signal)
        #elseif canImport(Darwin)
        _ = Darwin.kill(self.process.processIdentifier, signal)
        #endif
    }

    /// Sends a signal that ends it, and returns when it is gone.
    public func end(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(10)) async throws {
        if signal != SIGKILL { self.send(SIGCONT) }
        self.send(signal)
        try await Self.waitUntil("\(self.name) has ended", within: limit) { !self.process.isRunning }
    }

    /// Returns when it has ended by itself, with status 0.
    public func succeed(within limit: Duration = .seconds(60)) async throws {
        try await Self.waitUntil("\(self.name) has ended", within: limit) { !self.process.isRunning }
        guard self.process.terminationStatus == 0 else {
            throw Failure(message: "\(self.name) ended with \(self.process.terminationStatus)")
        }
    }

    /// Writes a line to its input.
    public func write(_ line: String) throws {
        try self.input?.write(contentsOf: Data((line + "\n").utf8))
    }

    /// What it has written so far, to its output and its error output.
    public var output: String {
        guard let outputFile, let data = try? Data(contentsOf: outputFile) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    /// What could not be started or ended.
    public struct Failure: Error, CustomStringConvertible {
        public let message: String
        public var description: String { self.message }
    }

    /// A process inherits the signals that its starter's thread blocks, and the threads of tasks block `SIGTERM`.
    private static func withAllSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var usual = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &usual)
        defer { pthread_sigmask(SIG_SETMASK, &usual, nil) }
        try body()
    }

    static func waitUntil(
        _ what: String, within limit: Duration = .seconds(10), giveUp: () -> Bool = { false }, _ condition: () -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if condition() { return }
            if giveUp() { throw Failure(message: "\(what): the process has ended") }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw Failure(message: "\(what): not within \(limit)")
    }
}
