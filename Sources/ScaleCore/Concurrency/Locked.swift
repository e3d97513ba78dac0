#if SCALE_TSAN
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
#else
public import Synchronization
#endif

/// A value behind a lock. The one lock of the package.
///
/// Decide inside ``withLock(_:)``, act outside: never resume a continuation, call a user's closure, log or do I/O under it. A thread
/// that locks it twice waits for itself.
/// It is `Synchronization.Mutex`; under the thread sanitizer, which does not understand `Mutex` on Linux, it is a pthread mutex
/// (compile with `-DSCALE_TSAN`). An uncontended lock costs about 30 ns.
public struct Locked<Value: ~Copyable>: ~Copyable, Sendable {
    #if SCALE_TSAN
    private let storage: PthreadBox<Value>

    public init(_ value: consuming sending Value) {
        self.storage = PthreadBox(value)
    }

    /// Runs `body` with exclusive access to the value.
    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try self.storage.withLock(body)
    }
    #else
    @usableFromInline let mutex: Mutex<Value>

    public init(_ value: consuming sending Value) {
        self.mutex = Mutex(value)
    }

    /// Runs `body` with exclusive access to the value.
    @inlinable public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try self.mutex.withLock(body)
    }
    #endif
}

#if SCALE_TSAN
/// `@unchecked Sendable`: the value is touched only between lock and unlock of the mutex beside it.
private final class PthreadBox<Value: ~Copyable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: consuming sending Value) {
        self.mutex = .allocate(capacity: 1)
        self.mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(self.mutex, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(self.mutex)
        self.mutex.deallocate()
    }

    func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        return try body(&self.value)
    }
}
#endif
