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
        var file: LogDescriptor?
        var queue = AccessLogQueue(capacity: 1 << 20)
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let path: String
    private let log: ProxyLog
    private let state = Locked(State())

    init(_ path: String, _ log: ProxyLog) {
        self.path = path
        self.log = log
    }

    /// Opens the file, or opens it anew. What is being written goes to the old one. Blocks.
    func open() throws(ProxyError) {
        let file: LogDescriptor
        switch LogDescriptor.opening(self.path) {
        case .success(let opened): file = opened
        case .failure(.system(let code)): throw ProxyError(code: .unwritableLog, message: String(cString: strerror(code)), place: self.path)
        case .failure(.forbidden), .failure(.notRegular):
            throw ProxyError(code: .unwritableLog, message: "the file cannot be had", place: self.path)
        }
        // The old one is closed with its last reference, which is not let go under the lock.
        let old = self.state.withLock { state in
            defer { state.file = file }
            return state.file
        }
        withExtendedLifetime(old) {}
    }

    /// Adds a line, with its end.
    func add(_ line: [UInt8]) {
        guard self.state.withLock({ $0.queue.add(line) }) else { return }
        NIOThreadPool.singleton.submit { _ in self.write() }
    }

    /// Waits until everything that was added is written, or could not be.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isDone = self.state.withLock { state in
                guard state.queue.isWriting else { return true }
                state.waiters.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Writes what there is. On a thread that may block.
    private func write() {
        while let (batch, file) = self.next() {
            let failure = file?.append(batch.lines) ?? EBADF
            if self.state.withLock({ $0.queue.ended(failure) }) { self.log.accessLogFailed(self.path, errno: failure) }
            if batch.lost > 0 { self.log.accessLogLost(self.path, count: batch.lost) }
        }
        let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            // A line that came meanwhile has a writer of its own, and whoever waits waits for that one.
            guard !state.queue.isWriting else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func next() -> (AccessLogQueue.Batch, LogDescriptor?)? {
        self.state.withLock { state in state.queue.next().map { ($0, state.file) } }
    }
}

/// A file open for adding, closed with its last reference. Its calls block.
private final class LogDescriptor: Sendable {
    private let number: Int32

    private init(_ number: Int32) {
        self.number = number
    }

    static func opening(_ path: String) -> Result<LogDescriptor, FileFailure> {
        // A FIFO without a reader, or a terminal, is not waited for.
        let number = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o644)
        return number < 0 ? .failure(.system(errno)) : .success(LogDescriptor(number))
    }

    deinit { close(self.number) }

    /// Returns 0, or the number of what went wrong.
    func append(_ lines: [UInt8]) -> Int32 {
        lines.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = write(self.number, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if count > 0 {
                    offset += count
                } else if count == 0 || errno != EINTR {
                    return count == 0 ? EIO : errno
                }
            }
            return 0
        }
    }
}
