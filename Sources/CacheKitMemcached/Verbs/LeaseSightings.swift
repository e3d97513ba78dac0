import CacheKit
import ScaleCore

/// Since when this node has seen the leases that others hold.
///
/// Memcached has no clock that could be asked, so a record tells how long its lease lasts, not until when. Whoever has seen the same lease
/// stand for that long, by its own monotonic clock, may take it over. That bounds waiting only; what is stored is decided by tokens.
struct LeaseSightings: Sendable {
    private struct Lease: Sendable {
        var token: LeaseToken
        var end: Instant
    }

    private var leases: [String: Lease] = [:]
    private let capacity: Int

    /// - Parameter capacity: how many keys to remember. One that is forgotten is seen for the first time again.
    init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 1)
    }

    /// How much longer the lease stands for this node: all of `length` when it is seen for the first time.
    mutating func remaining(_ name: String, _ token: LeaseToken, length: Duration, at now: Instant) -> Duration {
        if let lease = self.leases[name], lease.token == token { return now.duration(to: lease.end) }
        self.note(name, token, length: length, at: now)
        return length
    }

    /// This node has taken the lease.
    mutating func note(_ name: String, _ token: LeaseToken, length: Duration, at now: Instant) {
        if self.leases.count >= self.capacity, self.leases[name] == nil { self.makeRoom(at: now) }
        self.leases[name] = Lease(token: token, end: now.advanced(by: length))
    }

    mutating func forget(_ name: String) {
        self.leases[name] = nil
    }

    private mutating func makeRoom(at now: Instant) {
        self.leases = self.leases.filter { $0.value.end > now }
        if self.leases.count >= self.capacity { self.leases.removeAll() }
    }
}
