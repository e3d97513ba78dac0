import QueueKit

/// A time that a backend has to keep for this service.
struct Life: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// An entry of the cache lives so long.
        case entry
        /// A job waits so long before it is tried, and its result is to be known then.
        case delay
        /// A job runs so long, all the while unacknowledged.
        case run
    }

    enum Backend: Hashable, Sendable {
        case memory
        case redis
        case memcached
        case sqlite
        case rabbitMQ
    }

    /// What lives, as operators know it.
    var name: String
    var kind: Kind
    var duration: Duration
    /// The flag that names the backend.
    var flag: String
    var backend: Backend
}

extension Life {
    /// The lives of this service, on what it was told to use.
    static func ofService(cache: StoreChoice, queue: QueueChoice) -> [Life] {
        [
            Life(
                name: "the list of profiles", kind: .entry, duration: ProfileListCache.expiry, flag: "--cache", backend: cache.backend)
        ] + Self.ofJobs(queue)
    }

    /// The lives of the jobs alone.
    static func ofJobs(_ queue: QueueChoice) -> [Life] {
        let defaults = SendEmailNotification.defaults
        let delay = Life(
            name: "the wait before a retry", kind: .delay, duration: defaults.retry.maximumDelay, flag: "--queue", backend: queue.backend)
        guard let limit = defaults.hardTimeLimit else { return [delay] }
        return [delay, Life(name: "the job's time limit", kind: .run, duration: limit, flag: "--queue", backend: queue.backend)]
    }
}

extension StoreChoice {
    fileprivate var backend: Life.Backend {
        switch self {
        case .memory: .memory
        case .redis: .redis
        case .memcached: .memcached
        }
    }
}

extension QueueChoice {
    fileprivate var backend: Life.Backend {
        switch self {
        case .memory: .memory
        case .sqlite: .sqlite
        case .rabbitMQ: .rabbitMQ
        }
    }
}
