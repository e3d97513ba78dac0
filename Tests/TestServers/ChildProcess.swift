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
/// `@unchecked Sendable`: `ended` is only touched under `lock`; the rest never changes.
public final class ChildProcess: @unchecked Sendable {
    public let id: Int32
    private let lock = NSLock()
    private var ended: Int32?
    private let name: String
    private let input: FileHandle?
    private let outputFile: URL?

    /// Starts it.
    ///
    /// - Parameters:
    ///   - environment: beside what this process has itself.
    ///   - directory: where it works; by default where this process does.
    ///   - files: where its output and its error output go; by default nowhere.
    ///   - talks: whether its input comes from ``write(_:)`` and ``output`` shows what it writes; else there is no input.
    public init(
        _ executable: URL, _ arguments: [String], environment: [String: String] = [:], directory: URL? = nil,
        files: (output: URL, errors: URL)? = nil, talks: Bool = false
    ) throws {
        self.name = executable.lastPathComponent
        var command = [executable.path] + arguments
        // The working directory belongs to all threads of this process: a shell takes the step, and becomes the program.
        if let directory { command = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, directory.path] + command }
        let surroundings = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        do {
            if talks {
                // A write to a process that has gone is an error to see, and not the end of this one.
                _ = signal(SIGPIPE, SIG_IGN)
                let file = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-\(self.name)-\(UUID().uuidString).log")
                let pipe = Pipe()
                self.input = pipe.fileHandleForWriting
                self.outputFile = file
                self.id = try Spawning.start(
                    command[0], Array(command.dropFirst()), environment: surroundings, input: pipe.fileHandleForReading.fileDescriptor,
                    output: file.path, errors: file.path)
            } else {
                self.input = nil
                self.outputFile = nil
                self.id = try Spawning.start(
                    command[0], Array(command.dropFirst()), environment: surroundings, output: files?.output.path,
                    errors: files?.errors.path)
            }
        } catch {
            throw Failure(message: "\(self.name) cannot be started: \(String(cString: strerror(error.number)))")
        }
    }

    deinit {
        if self.status == nil {
            kill(self.id, SIGKILL)
            // It is gone in a moment, for which no thread of tasks is to wait.
            Thread.detachNewThread { [id] in
                Spawning.waitForEnd(of: id)
                _ = Spawning.reap(id)
            }
        }
        if let outputFile { try? FileManager.default.removeItem(at: outputFile) }
    }

    /// The exit status once it has ended, or the number of the signal that ended it.
    public var status: Int32? {
        self.lock.withLock {
            if self.ended == nil, Self.hasEnded(self.id) { self.ended = Spawning.reap(self.id) }
            return self.ended
        }
    }

    public var isRunning: Bool { self.status == nil }

    /// Sends a signal, unless the process is known to have ended: its id may be another's then.
    public func send(_ signal: Int32) {
        self.lock.withLock {
            if self.ended == nil { kill(self.id, signal) }
        }
    }

    /// Sends a signal that ends it, and returns when it is gone.
    public func end(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(60)) async throws {
        if signal != SIGKILL { self.send(SIGCONT) }
        self.send(signal)
        try await Self.waitUntil("\(self.name) has ended", within: limit) { !self.isRunning }
    }

    /// Returns when it has ended by itself, with status 0.
    public func succeed(within limit: Duration = .seconds(60)) async throws {
        try await Self.waitUntil("\(self.name) has ended", within: limit) { !self.isRunning }
        guard self.status == 0 else { throw Failure(message: "\(self.name) ended with \(self.status ?? -1)") }
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

    private static func hasEnded(_ id: pid_t) -> Bool {
        var information = siginfo_t()
        // It leaves the id to the process until it is reaped. Without a child of that id there is nothing to wait for.
        guard waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT | WNOHANG) == 0 else { return errno != EINTR }
        return information.si_signo != 0
    }

    /// Looks at least once, also at the end; a standstill of all tasks counts as a second.
    static func waitUntil(
        _ what: String, within limit: Duration = .seconds(30), giveUp: () -> Bool = { false }, _ condition: () -> Bool
    ) async throws {
        var left = limit
        var last = ContinuousClock.now
        while true {
            if condition() { return }
            if giveUp() { throw Failure(message: "\(what): the process has ended") }
            guard left > .zero else { throw Failure(message: "\(what): not within \(limit)") }
            try await Task.sleep(for: .milliseconds(5))
            let now = ContinuousClock.now
            left -= min(last.duration(to: now), .seconds(1))
            last = now
        }
    }

    /// A program that is built with the tests, and lies beside their bundle.
    public static func built(_ name: String) -> URL? {
        var candidates = [CommandLine.arguments[0]]
        if let executable = Bundle.main.executablePath { candidates.append(executable) }
        candidates += Bundle.allBundles.compactMap(\.executablePath)
        return
            candidates
            .map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
}
