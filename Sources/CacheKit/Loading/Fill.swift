import ScaleCore

/// One load's way from its lease into the store, as a value: events in, the next action out.
///
/// What is stored carries the epochs that were read before the loader ran, so that a tag's invalidation during the load reaches the entry.
/// A tag that only the loader knows has no such epoch. Its present one is good if no tag of the namespace was invalidated since before
/// the loader ran, which the namespace's sequence tells, read *after* that epoch: an invalidation changes the sequence first.
struct Fill {
    enum Action: Hashable {
        /// Read the namespace's sequence, then report it.
        case noteSequence
        /// Run the loader, then report the tags of its value.
        case load
        /// Fetch these epochs and, if asked, after them the sequence, then report them.
        case fetchEpochs([String], sequence: Bool)
        case commit([TagStamp], CacheLife)
        /// Give the lease back: the value goes to those who wait for it, and nowhere else.
        case abandon
    }

    private(set) var load: OwnLoad
    /// `nil`: the value is not to be stored.
    private let life: CacheLife?
    private let rules: LoadingRules
    private var began = Instant(nanoseconds: .min)
    private var names: [String] = []
    private var remaining: CacheLife?

    init(load: OwnLoad, life: CacheLife?, rules: LoadingRules = LoadingRules()) {
        self.load = load
        self.life = life
        self.rules = rules
    }

    /// The lease is this load's.
    mutating func granted(at now: Instant) -> Action {
        self.began = now
        return self.load.mayAddTags ? .noteSequence : .load
    }

    mutating func noted(sequence: UInt64, at now: Instant) -> Action {
        self.load.sequence = sequence
        self.began = now
        return .load
    }

    /// The loader has returned a value that carries the tags `names`, the call's and those it added.
    mutating func loaded(tags names: [String], at now: Instant) -> Action {
        self.names = names
        self.remaining = self.remainingLife(at: now)
        // A load that has outlived its lease would be refused.
        guard self.remaining != nil, now < self.load.leaseEnd else { return .abandon }
        let added = names.filter { self.load.epochs[name: $0] == nil }
        if !self.rules.stampsEarlyEpochs { return .fetchEpochs(names, sequence: !added.isEmpty) }
        return added.isEmpty ? self.commit(self.load.epochs) : .fetchEpochs(added, sequence: true)
    }

    /// The epochs asked for; `sequence` was read after them.
    mutating func learned(epochs: [ExactName: TagEpoch], sequence: UInt64?) -> Action {
        if let sequence, self.rules.comparesSequence, sequence != self.load.sequence { return .abandon }
        let all = self.load.epochs.merging(epochs) { early, late in self.rules.stampsEarlyEpochs ? early : late }
        return self.commit(all)
    }

    private func commit(_ epochs: [ExactName: TagEpoch]) -> Action {
        var stamps: [TagStamp] = []
        for name in self.names {
            // An entry without the stamp of one of its tags would outlive that tag's invalidation.
            guard let epoch = epochs[name: name] else { return .abandon }
            stamps.append(TagStamp(name: name, epoch: epoch))
        }
        return self.remaining.map { .commit(stamps, $0) } ?? .abandon
    }

    /// What is left of the life after the load, since the value is as old as the load; `nil` when nothing is.
    private func remainingLife(at now: Instant) -> CacheLife? {
        guard let life, let fresh = life.fresh else { return self.life }
        let remaining = fresh - max(self.began.duration(to: now), .zero)
        return remaining > .zero ? CacheLife(remaining) : nil
    }
}
