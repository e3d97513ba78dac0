/// What a store holds at a key.
public enum StoredEntry: Sendable {
    case absent
    case record(CacheRecord)
    /// A bare integer, for counting.
    case counter(Int64)
    /// Bytes that are neither a record that this version reads nor a counter.
    case unreadable(Sighting)

    /// What somebody who wants to replace exactly this entry must show.
    public var sighting: Sighting {
        switch self {
        case .absent: .absent
        case .record(let record): Sighting(of: record)
        case .counter(let value): Sighting(prefix: Array(String(value).utf8))
        case .unreadable(let sighting): sighting
        }
    }

    /// The entry that stored bytes spell, for stores that keep bytes. Bare decimals in the range of `Int64` are counters.
    public init(bytes: [UInt8]) {
        if let record = RecordBytes.decode(bytes) {
            self = .record(record)
        } else if bytes.count <= 20, let text = String(validating: bytes, as: UTF8.self), let value = Int64(text), String(value) == text {
            self = .counter(value)
        } else {
            self = .unreadable(Sighting(prefix: bytes))
        }
    }
}

/// The answer to a read: entries in the order of the keys, epochs in the order of the tags.
public struct StoreReading: Sendable {
    public var entries: [StoredEntry]
    /// `nil` for a tag that has no epoch (any more): no entry of it can be current.
    public var epochs: [TagEpoch?]

    public init(entries: [StoredEntry], epochs: [TagEpoch?]) {
        self.entries = entries
        self.epochs = epochs
    }
}

/// The answer to begin.
public enum BeginAnswer: Hashable, Sendable {
    /// The lease is the caller's.
    case granted
    /// Another load holds the lease, for this much longer at most.
    case held(by: LeaseToken, remaining: Duration)
    /// The entry is not what the caller saw.
    case changed
}

/// The answer to commit.
public enum CommitAnswer: Hashable, Sendable {
    case stored
    /// The lease no longer stands; nothing was written.
    case refused
}

/// The answer to a conditional write or touch.
public enum WriteAnswer: Hashable, Sendable {
    case stored
    /// The entry is not what the caller saw; nothing was written.
    case changed
}
