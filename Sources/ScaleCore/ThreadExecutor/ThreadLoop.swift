#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The thread of a ``ThreadExecutor``: runs jobs in the order of their arrival, and waits in `poll` for more of them and for what is watched.
final class ThreadLoop: Sendable {
    private struct State {
        var jobs: [UnownedJob] = []
        var watch: ThreadWatch?
        /// Counts the changes of `watch`, so that a handler is not called for a watch that has been replaced.
        var watchVersion: UInt64 = 0
        /// The thread is in `poll`, or is about to be, and nobody has woken it.
        var isAsleep = false
        var isEnding = false
        var thread: pthread_t?
    }

    private struct Turn {
        var jobs: [UnownedJob]
        var watch: ThreadWatch?
        var watchVersion: UInt64
        var isEnding: Bool
    }

    /// `@unchecked Sendable`: the reference is written before the thread starts, and a weak reference may be read from any thread.
    private final class Owner: @unchecked Sendable {
        weak var executor: ThreadExecutor?
    }

    private let state = Locked(State())
    private let owner = Owner()
    /// A byte through this pipe ends a `poll`.
    private let wakeRead: Int32
    private let wakeWrite: Int32

    init() throws(ThreadExecutorError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ThreadExecutorError(call: "pipe", number: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        self.wakeRead = ends[0]
        self.wakeWrite = ends[1]
    }

    deinit {
        close(self.wakeRead)
        close(self.wakeWrite)
    }

    /// Whether the caller is on this thread.
    var isCurrent: Bool {
        guard let thread = self.state.withLock({ $0.thread }) else { return false }
        return pthread_equal(thread, pthread_self()) != 0
    }

    func start(name: String, executor: ThreadExecutor) throws(ThreadExecutorError) {
        self.owner.executor = executor
        let start = Start(loop: self, name: name)
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let argument = Unmanaged.passRetained(start)
        let result = pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Darwin)
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                #else
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                #endif
                start.loop.run(name: start.name)
                return nil
            }, argument.toOpaque())
        guard result == 0 else {
            argument.release()
            throw ThreadExecutorError(call: "pthread_create", number: result)
        }
        #if canImport(Darwin)
        if let thread { pthread_detach(thread) }
        #else
        pthread_detach(thread)
        #endif
    }

    func add(_ job: UnownedJob) {
        self.change { $0.jobs.append(job) }
    }

    func watch(_ watch: ThreadWatch?) {
        self.change { state in
            state.watch = watch
            state.watchVersion &+= 1
        }
    }

    func end() {
        self.change { $0.isEnding = true }
    }

    private func change(_ body: (inout State) -> Void) {
        let wakes = self.state.withLock { state in
            body(&state)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        // A pipe that is full wakes as well.
        if wakes { _ = write(self.wakeWrite, [1], 1) }
    }

    // MARK: On the thread

    /// What the thread is started with.
    private final class Start: Sendable {
        let loop: ThreadLoop
        let name: String

        init(loop: ThreadLoop, name: String) {
            self.loop = loop
            self.name = name
        }
    }

    private func run(name: String) {
        // Signals are for others to handle; a write to a connection that is gone must not end the process either.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        Self.nameThread(name)
        self.state.withLock { $0.thread = pthread_self() }
        while true {
            let turn = self.nextTurn()
            if turn.jobs.isEmpty {
                if turn.isEnding { return }
            } else if let executor = self.owner.executor {
                // It stays alive while its jobs run: whoever has a job waiting holds it.
                for job in turn.jobs { job.runSynchronously(on: executor.asUnownedSerialExecutor()) }
            }
            self.wait(turn)
        }
    }

    private func nextTurn() -> Turn {
        self.state.withLock { state in
            let jobs = state.jobs
            state.jobs = []
            // After jobs comes one look at the descriptor, without sleep.
            state.isAsleep = jobs.isEmpty && !state.isEnding
            return Turn(jobs: jobs, watch: state.watch, watchVersion: state.watchVersion, isEnding: state.isEnding)
        }
    }

    private func wait(_ turn: Turn) {
        // A job may have changed what is watched.
        let (watch, version): (ThreadWatch?, UInt64) =
            turn.jobs.isEmpty
            ? (turn.watch, turn.watchVersion) : self.state.withLock { ($0.watch, $0.watchVersion) }
        var descriptors = [pollfd(fd: self.wakeRead, events: Int16(POLLIN), revents: 0)]
        if let watch {
            let events = POLLIN | (watch.waitsForRoom ? POLLOUT : 0)
            descriptors.append(pollfd(fd: watch.descriptor, events: Int16(truncatingIfNeeded: events), revents: 0))
        }
        let timeout = turn.jobs.isEmpty ? Self.timeout(until: watch?.deadline) : 0
        let count = poll(&descriptors, nfds_t(descriptors.count), timeout)
        self.state.withLock { $0.isAsleep = false }
        if descriptors[0].revents != 0 { self.drainPipe() }
        guard let watch else { return }
        if count > 0, descriptors[1].revents != 0 {
            self.deliver(.ready, of: watch, version)
        } else if let deadline = watch.deadline, TimeSource.system.now() >= deadline {
            self.state.withLock { state in
                if state.watchVersion == version { state.watch?.deadline = nil }
            }
            self.deliver(.deadline, of: watch, version)
        }
    }

    private func deliver(_ event: ThreadWatch.Event, of watch: ThreadWatch, _ version: UInt64) {
        guard self.state.withLock({ $0.watchVersion == version }) else { return }
        watch.handler(event)
    }

    private func drainPipe() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(self.wakeRead, &bytes, bytes.count) == bytes.count {}
    }

    /// In milliseconds, rounded up, as `poll` has it; -1 is for ever.
    private static func timeout(until deadline: Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = TimeSource.system.now().duration(to: deadline)
        guard left > .zero else { return 0 }
        return Int32(clamping: left.wholeMillisecondsRoundedUp)
    }

    /// For debuggers and `top`: nothing depends on it.
    private static func nameThread(_ name: String) {
        #if canImport(Darwin)
        pthread_setname_np(name)
        #else
        // pthread_setname_np is an extension of GNU that the Glibc module does not show.
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        _ = write(file, bytes, bytes.count)
        close(file)
        #endif
    }
}
