#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Holds a scripted server's thread until the test opens it, and for 45 s at most.
///
/// `@unchecked Sendable`: mutex and condition are made for threads, and `isOpen` is only touched under the mutex.
final class ReplyGate: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isOpen = false

    init() {
        pthread_mutex_init(self.mutex, nil)
        pthread_cond_init(self.condition, nil)
    }

    deinit {
        pthread_cond_destroy(self.condition)
        pthread_mutex_destroy(self.mutex)
        self.condition.deallocate()
        self.mutex.deallocate()
    }

    func open() {
        pthread_mutex_lock(self.mutex)
        self.isOpen = true
        pthread_cond_broadcast(self.condition)
        pthread_mutex_unlock(self.mutex)
    }

    func wait() {
        var limit = timespec()
        clock_gettime(CLOCK_REALTIME, &limit)
        limit.tv_sec += 45
        pthread_mutex_lock(self.mutex)
        while !self.isOpen, pthread_cond_timedwait(self.condition, self.mutex, &limit) == 0 {}
        pthread_mutex_unlock(self.mutex)
    }
}
