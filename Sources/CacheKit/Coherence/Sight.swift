import ScaleCore

/// What a read of the store amounts to, for one caller.
enum Sight: Sendable {
    /// A value whose freshness and tags are in order. Whether it can be decoded is not judged here.
    case fresh(CacheRecord)
    /// A value that carries tags whose epochs this caller has not read yet.
    case needsEpochs([String])
    case counter
    /// Nothing usable. What was seen is what a load may replace; `holder` is the load that is under way, if any.
    case stale(Sighting, holder: LeaseToken?)

    /// Judges an entry by the epochs that the caller has read since its call began (`nil`: read, and there was none).
    ///
    /// A record whose stamp of any tag differs from the tag's epoch counts as removed. Epochs are random, so one that was lost and created
    /// anew never equals an old stamp.
    static func judge(_ entry: StoredEntry, epochs: [ExactName: TagEpoch?], nowMilliseconds: Int64) -> Sight {
        switch entry {
        case .absent: return .stale(.absent, holder: nil)
        case .counter: return .counter
        case .unreadable(let sighting): return .stale(sighting, holder: nil)
        case .record(let record):
            // Every entry of a cache carries its namespace's tag, first; one that does not is damaged.
            guard !record.isEmpty, nowMilliseconds < record.freshUntil, record.tags.first?.name.isEmpty == true else {
                return .outdated(record)
            }
            var missing: [String] = []
            for tag in record.tags {
                guard let known = epochs[name: tag.name] else {
                    missing.append(tag.name)
                    continue
                }
                guard known == tag.epoch else { return .outdated(record) }
            }
            return missing.isEmpty ? .fresh(record) : .needsEpochs(missing)
        }
    }

    /// The sight of a record that cannot be used, for whatever reason.
    static func outdated(_ record: CacheRecord) -> Sight {
        .stale(Sighting(of: record), holder: record.lease)
    }
}
