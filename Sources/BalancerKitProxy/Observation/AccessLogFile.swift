import NIOPosix
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A file to which lines are added. Adding never blocks: the lines are written on a thread for that, one write after the other.
final class AccessLogFile: Sendable {
    private struct State {
        var sink: (any AccessLogSink)?
        var queue = AccessLogQueue(capacity: 1 << 20)
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Openings that have begun, and the latest of which the file is.
        var (begun, current) = (0, 0)
        var (isClosed, isGivenUp) = (false, false)
    }

    let path: String
    private let log: ProxyLog
    private let opening: @Sendable (String) throws(ProxyError) -> any AccessLogSink
    private let state = Locked(State())

    /// - Parameter opening: opens the file. Blocks.
    init(
        _ path: String, _ log: ProxyLog,
        opening: @escaping @Sendable (String) throws(ProxyError) -> any AccessLogSink = { path throws(ProxyError) in
            try AccessLogDescriptor(path)
        }
    ) {
        self.path = path
        self.log = log
        self.opening = opening
    }

    /// Opens the file, or opens it anew. What is being written goes to the old one. Blocks.
    func open() throws(ProxyError) {
        let number = self.state.withLock { state in
            state.begun += 1
            return state.begun
        }
        let sink = try self.opening(self.path)
        // One of the two is closed with its last reference, which is not let go under the lock.
        let old: (any AccessLogSink)? = self.state.withLock { state in
            // Of two openings the later one may end first, and has seen what stands at the path now.
            guard number > state.current, !state.isClosed else { return sink }
            defer { (state.sink, state.current) = (sink, number) }
            return state.sink
        }
        withExtendedLifetime(old) {}
    }

    /// Lets go of the file for good. Blocks.
    func close() {
        let old = self.state.withLock { state in
            defer { (state.sink, state.isClosed) = (nil, true) }
            return state.sink
        }
        withExtendedLifetime(old) {}
    }

    /// Adds a line, with its end.
    func add(_ line: [UInt8]) {
        guard self.state.withLock({ $0.queue.add(line) }) else { return }
        self.sendWriter()
    }

    /// Waits until everything that was added is written, or could not be, or was given up.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isDone = self.state.withLock { state in
                guard state.queue.isWriting, !state.isGivenUp else { return true }
                state.waiters.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Ends the waiting, and tells of what is lost thereby.
    func giveUp() {
        let (lost, waiters) = self.state.withLock { state in
            defer { (state.waiters, state.isGivenUp) = ([], true) }
            return (state.queue.giveUp(), state.waiters)
        }
        if lost > 0 { self.log.accessLogLost(self.path, count: lost) }
        for waiter in waiters { waiter.resume() }
    }

    private func sendWriter() {
        AccessLogs.threads.submit { _ in self.write() }
    }

    /// Writes what there is. On a thread that may block, which goes to the next file after a while.
    private func write() {
        for _ in 0..<16 {
            guard let (lines, sink) = self.next() else { return self.written() }
            let (count, failure) = sink?.append(lines) ?? (0, EBADF)
            let report = self.state.withLock { $0.queue.ended(lines, written: count, failure) }
            if let failure = report.failure { self.log.accessLogFailed(self.path, errno: failure) }
            if report.lost > 0 { self.log.accessLogLost(self.path, count: report.lost) }
        }
        self.sendWriter()
    }

    private func written() {
        let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            // A line that came meanwhile has a writer of its own, and whoever waits waits for that one.
            guard !state.queue.isWriting else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func next() -> ([UInt8], (any AccessLogSink)?)? {
        self.state.withLock { state in state.queue.next().map { ($0, state.sink) } }
    }
}
