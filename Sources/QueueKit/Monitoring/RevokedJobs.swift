internal import DequeModule
internal import ScaleCore

/// The ids of jobs that shall not run, as many and for as long as Celery keeps them: 50,000 and 3 h.
struct RevokedJobs: Sendable {
    private var expiries: [JobID: Instant] = [:]
    /// In the order in which they were revoked; an id that was revoked again is here twice, and counts by its last time.
    private var order: Deque<(id: JobID, expiry: Instant)> = []
    private let capacity: Int
    private let lifetime: Duration

    init(capacity: Int = 50_000, lifetime: Duration = .seconds(3 * 3600)) {
        self.capacity = max(1, capacity)
        self.lifetime = lifetime
    }

    /// Amortized O(1).
    mutating func insert(_ id: JobID, at now: Instant) {
        let expiry = now.advanced(by: self.lifetime)
        guard self.expiries.updateValue(expiry, forKey: id) != expiry else { return }
        self.order.append((id, expiry))
        self.trim(at: now)
    }

    mutating func contains(_ id: JobID, at now: Instant) -> Bool {
        if self.expiries.isEmpty { return false }
        self.trim(at: now)
        return self.expiries[id] != nil
    }

    /// In the order in which they were revoked.
    mutating func ids(at now: Instant) -> [JobID] {
        self.trim(at: now)
        return self.order.compactMap { self.expiries[$0.id] == $0.expiry ? $0.id : nil }
    }

    private mutating func trim(at now: Instant) {
        while let first = self.order.first {
            let isObsolete = self.expiries[first.id] != first.expiry
            guard isObsolete || first.expiry <= now || self.expiries.count > self.capacity || self.order.count > 2 * self.capacity else {
                return
            }
            self.order.removeFirst()
            if !isObsolete { self.expiries[first.id] = nil }
        }
    }
}
