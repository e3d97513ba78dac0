/// One thread as a `SerialExecutor`: for handles of a C library that must stay on one thread, and whose calls block it.
///
/// An actor that names it as its executor owns such a handle safely, and blocks nobody's thread but its own:
///
/// ```swift
/// actor Handle {
///     private nonisolated let thread: ThreadExecutor
///     nonisolated var unownedExecutor: UnownedSerialExecutor { self.thread.asUnownedSerialExecutor() }
/// }
/// ```
///
/// Between jobs the thread waits, and can wait for one descriptor at the same time; see ``watch(_:)``. A job costs a hop between threads,
/// some tens of µs when the thread has to be woken: hand work over in batches.
///
/// The thread ends after the executor has been released; an actor that is at work, or has work waiting, keeps it.
package final class ThreadExecutor: SerialExecutor {
    private let loop: ThreadLoop

    /// Starts the thread.
    ///
    /// - Parameter name: shown by debuggers; the first 15 bytes count on Linux.
    /// - Throws: ``ThreadExecutorError`` when the system has no descriptor or thread left.
    package init(name: String) throws(ThreadExecutorError) {
        self.loop = try ThreadLoop()
        try self.loop.start(name: name, executor: self)
    }

    deinit {
        self.loop.end()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        self.loop.add(UnownedJob(job))
    }

    /// What the thread waits for beside its jobs, in place of what it waited for until now; `nil` for nothing.
    ///
    /// Its handler runs on this thread between two jobs, again and again as long as the descriptor is ready: an actor's `assumeIsolated`
    /// holds in it. Withdraw the watch before the descriptor is closed.
    package func watch(_ watch: ThreadWatch?) {
        self.loop.watch(watch)
    }

    package func checkIsolated() {
        precondition(self.loop.isCurrent, "not on the thread of this executor")
    }

    package func isIsolatingCurrentContext() -> Bool? {
        self.loop.isCurrent
    }
}

/// A descriptor that an executor's thread waits for, and what then happens.
package struct ThreadWatch: Sendable {
    /// Why the handler is called.
    package enum Event: Hashable, Sendable {
        /// The descriptor can be read or written as wished, or has an error that the next call will tell.
        case ready
        /// The deadline has passed first. The watch goes on without one.
        case deadline
    }

    package var descriptor: Int32
    /// Whether to wait for room to write, too.
    package var waitsForRoom: Bool
    /// When the handler is called even if nothing comes.
    package var deadline: Instant?
    package var handler: @Sendable (Event) -> Void

    package init(
        descriptor: Int32, waitsForRoom: Bool = false, deadline: Instant? = nil, handler: @escaping @Sendable (Event) -> Void
    ) {
        self.descriptor = descriptor
        self.waitsForRoom = waitsForRoom
        self.deadline = deadline
        self.handler = handler
    }
}

/// The system gave no thread.
package struct ThreadExecutorError: Error, CustomStringConvertible {
    /// The call that failed.
    package var call: String
    /// The value of `errno`.
    package var number: Int32

    package var description: String { "\(self.call) failed with error \(self.number)" }
}
