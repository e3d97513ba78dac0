package import ScaleCore

/// The sessions of one process, as a value: every verb of ``SessionStorage`` as one step at a given time.
///
/// Entries are removed when they are over: each has one node in a queue ordered by the time at which it would have ended when the node
/// was made. A use only moves the entry's own deadline; the node that comes up too early goes back into the queue. An entry that is deleted
/// leaves its node behind; when most nodes are such, the queue is made anew. So a verb costs O(log n) amortized, what is over does not stay
/// longer than until the next verbs, and the queue is never much longer than there are entries.
package struct SessionTable: Sendable {
    private struct Entry {
        var payload: [UInt8]
        var version: SessionVersion
        var createdAt: Instant
        var usedAt: Instant
        var deadline: Instant
    }

    private var entries: [SessionKey: Entry] = [:]
    private var deadlines = DeadlineQueue<SessionKey>()
    private let maximumCount: Int

    package init(maximumCount: Int = .max) {
        self.maximumCount = maximumCount
    }

    /// How many sessions are held, some of them possibly over.
    package var count: Int { self.entries.count }

    /// How many nodes wait in the queue of deadlines: at most twice ``count``, and 64.
    package var nodeCount: Int { self.deadlines.count }

    package mutating func load(_ key: SessionKey, at now: Instant) -> StoredSession? {
        self.removeDue(at: now)
        guard let entry = self.live(key, at: now) else { return nil }
        return StoredSession(
            payload: entry.payload, version: entry.version, age: entry.createdAt.duration(to: now), unused: entry.usedAt.duration(to: now))
    }

    package enum Creation: Hashable, Sendable {
        case created(SessionVersion), exists, full
    }

    package mutating func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy, at now: Instant) -> Creation {
        self.removeDue(at: now)
        guard self.live(key, at: now) == nil else { return .exists }
        if self.entries.count >= self.maximumCount { self.removeDue(at: now, looking: .max) }
        guard self.entries.count < self.maximumCount else { return .full }
        let version = SessionVersion(rawValue: 1)
        self.insert(key, payload: payload, version: version, createdAt: now, policy: policy, at: now)
        return .created(version)
    }

    package mutating func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy, at now: Instant
    ) -> SessionWrite {
        self.removeDue(at: now)
        guard var entry = self.live(key, at: now) else { return .ended }
        guard entry.version == version else { return .conflict }
        guard Self.use(&entry, policy: policy, at: now) else {
            self.remove(key)
            return .ended
        }
        entry.payload = payload
        entry.version.rawValue &+= 1
        self.entries[key] = entry
        return .written(entry.version)
    }

    package mutating func delete(_ key: SessionKey, at now: Instant) -> Bool {
        self.removeDue(at: now)
        guard self.live(key, at: now) != nil else { return false }
        self.remove(key)
        return true
    }

    package mutating func touch(_ key: SessionKey, policy: SessionPolicy, at now: Instant) -> Bool {
        self.removeDue(at: now)
        guard var entry = self.live(key, at: now) else { return false }
        guard Self.use(&entry, policy: policy, at: now) else {
            self.remove(key)
            return false
        }
        self.entries[key] = entry
        return true
    }

    package mutating func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy, at now: Instant
    ) -> SessionWrite {
        self.removeDue(at: now)
        guard let entry = self.live(old, at: now) else { return .ended }
        guard entry.version == version, self.live(new, at: now) == nil else { return .conflict }
        let createdAt =
            switch lifetime {
            case .kept: entry.createdAt
            case .restarted: now
            }
        self.remove(old)
        guard policy.remainingLife(atAge: createdAt.duration(to: now)) > .zero else { return .ended }
        let next = SessionVersion(rawValue: version.rawValue &+ 1)
        self.insert(new, payload: payload, version: next, createdAt: createdAt, policy: policy, at: now)
        return .written(next)
    }

    // MARK: For the fake

    /// Replaces the payload and nothing else, as damage does. False when there is no session.
    package mutating func overwrite(_ key: SessionKey, payload: [UInt8], at now: Instant) -> Bool {
        guard self.live(key, at: now) != nil else { return false }
        self.entries[key]?.payload = payload
        return true
    }

    /// How many sessions are alive. O(n).
    package func liveCount(at now: Instant) -> Int {
        self.entries.values.count { $0.deadline > now }
    }

    // MARK: Deadlines

    /// The entry under a key unless it is over, which is removed.
    private mutating func live(_ key: SessionKey, at now: Instant) -> Entry? {
        guard let entry = self.entries[key] else { return nil }
        guard entry.deadline > now else {
            self.remove(key)
            return nil
        }
        return entry
    }

    private mutating func insert(
        _ key: SessionKey, payload: [UInt8], version: SessionVersion, createdAt: Instant, policy: SessionPolicy, at now: Instant
    ) {
        let deadline = now.advanced(by: policy.remainingLife(atAge: createdAt.duration(to: now)))
        self.entries[key] = Entry(payload: payload, version: version, createdAt: createdAt, usedAt: now, deadline: deadline)
        self.deadlines.insert(key, at: deadline)
        self.sweepNodes()
    }

    /// Removes an entry before its time; its node stays in the queue.
    private mutating func remove(_ key: SessionKey) {
        self.entries[key] = nil
        self.sweepNodes()
    }

    /// Makes the queue anew when most of its nodes belong to no entry. O(n), after at least as many removals.
    private mutating func sweepNodes() {
        guard self.deadlines.count > 2 * self.entries.count + 64 else { return }
        self.deadlines = DeadlineQueue(self.entries.lazy.map { (element: $0.key, deadline: $0.value.deadline) })
    }

    /// Starts the idle time anew. False when the session is over by the policy.
    private static func use(_ entry: inout Entry, policy: SessionPolicy, at now: Instant) -> Bool {
        let remaining = policy.remainingLife(atAge: entry.createdAt.duration(to: now))
        guard remaining > .zero else { return false }
        entry.usedAt = now
        entry.deadline = now.advanced(by: remaining)
        return true
    }

    /// Looks at no more than sixteen due nodes by default, so that one call never pays for a whole night's sessions.
    private mutating func removeDue(at now: Instant, looking limit: Int = 16) {
        defer { self.sweepNodes() }
        for _ in 0..<limit {
            guard let key = self.deadlines.popDue(at: now) else { return }
            guard let entry = self.entries[key] else { continue }
            if entry.deadline > now {
                self.deadlines.insert(key, at: entry.deadline)
            } else {
                self.entries[key] = nil
            }
        }
    }
}
