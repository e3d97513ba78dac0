import Foundation
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A child process whose end can be awaited by several. See ``Spawning`` for how it is started.
final class ChildProcess: Sendable {
    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    /// What the process's end is told to, which may come before the initializer has returned.
    private final class End: Sendable {
        private let state = Locked(State())

        var status: Int32? { self.state.withLock { $0.status } }

        func come(_ reap: () -> Int32) {
            let (status, waiting) = self.state.withLock { state in
                let status = reap()
                state.status = status
                defer { state.waiting = [] }
                return (status, state.waiting)
            }
            for continuation in waiting { continuation.resume(returning: status) }
        }

        /// Runs `body` unless the end has come, which then waits for it.
        func before(_ body: () -> Void) {
            self.state.withLock { if $0.status == nil { body() } }
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
        guard FileManager.default.createFile(atPath: errors, contents: nil) else {
            throw NginxError(code: .notStarted, message: "cannot write \"\(errors)\"")
        }
        let end = End()
        do {
            self.processID = try Spawning.start(executable, arguments, errors: errors)
        } catch {
            throw NginxError(code: .notStarted, message: "cannot run \"\(executable)\": \(String(cString: strerror(error.number)))")
        }
        self.end = end
        // One thread for each child, which does nothing else: there are few, and nothing else tells of an end on all systems.
        Thread.detachNewThread { [processID] in
            Spawning.waitForEnd(of: processID)
            end.come { Spawning.reap(processID) }
        }
    }

    /// Its exit status, once it has ended.
    func status() async -> Int32 {
        await withCheckedContinuation { self.end.wait($0) }
    }

    var isRunning: Bool { self.end.status == nil }

    /// Does nothing once the process has ended: its id may be another's then.
    func signal(_ number: Int32) {
        self.end.before { _ = kill(self.processID, number) }
    }
}
