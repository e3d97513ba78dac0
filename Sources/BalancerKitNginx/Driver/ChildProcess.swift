import Foundation
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A child process whose end can be awaited by several.
final class ChildProcess: Sendable {
    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    /// What the process's end is told to, which may come before the initializer has returned.
    private final class End: Sendable {
        private let state = Locked(State())

        var status: Int32? { self.state.withLock { $0.status } }

        func come(_ status: Int32) {
            let waiting = self.state.withLock { state in
                state.status = status
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume(returning: status) }
        }

        func wait(_ continuation: CheckedContinuation<Int32, Never>) {
            let status = self.state.withLock { state -> Int32? in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    private let end: End
    let processID: Int32

    /// - Parameter errors: the file that standard error is written to.
    init(_ executable: String, _ arguments: [String], errors: String) throws(NginxError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        guard FileManager.default.createFile(atPath: errors, contents: nil), let handle = FileHandle(forWritingAtPath: errors) else {
            throw NginxError(code: .notStarted, message: "cannot write \"\(errors)\"")
        }
        process.standardError = handle
        // The child has its own; this one's would stay open for as long as Foundation remembers it.
        defer { try? handle.close() }
        let end = End()
        process.terminationHandler = { end.come($0.terminationStatus) }
        do {
            try Self.withAllSignals { try process.run() }
        } catch {
            throw NginxError(code: .notStarted, message: "cannot run \"\(executable)\"")
        }
        self.end = end
        self.processID = process.processIdentifier
    }

    /// Its exit status, once it has ended.
    func status() async -> Int32 {
        await withCheckedContinuation { self.end.wait($0) }
    }

    var isRunning: Bool { self.end.status == nil }

    /// Does nothing once the process has ended: its id may be another's then.
    func signal(_ number: Int32) {
        if self.isRunning { _ = kill(self.processID, number) }
    }

    /// A child inherits the signals that its parent's thread blocks, and the threads of tasks block SIGTERM.
    private static func withAllSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var usual = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &usual)
        defer { pthread_sigmask(SIG_SETMASK, &usual, nil) }
        try body()
    }
}
