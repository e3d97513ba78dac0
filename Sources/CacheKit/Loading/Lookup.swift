import ScaleCore

/// One caller's way to a value, as a value: events in, the next action out.
///
/// Without pushes from the store a node does not hear of invalidations elsewhere, so callers *join on evidence*: each makes its own read,
/// and waits for this node's load exactly if that read shows the load's token as the live lease, and the epochs and sequence that the
/// load noted. Then nothing was invalidated between the load's begin and the caller's read, and the load's value is as good as one that
/// the caller had loaded itself. A stampede costs one small read per caller, and one load.
struct Lookup {
    enum Action: Hashable {
        /// Read the entry with the epochs of the call's tags, then report what was seen.
        case read
        /// Read these epochs (and the sequence), then report what was seen, judged anew.
        case readEpochs([String], sequence: Bool)
        /// Open a flight: begin at the store with this sighting; if the lease is granted run the loader.
        case open(Sighting)
        /// Wait for this load of the node.
        case join(LeaseToken)
        /// Abandon this load's lease, which no caller can use any more, then read.
        case endLease(LeaseToken)
        /// Wait, then read.
        case wait(Duration)
        /// Run the loader for this caller alone and store nothing.
        case loadAlone
        /// The store cannot be reached: run the loader for all callers of this node and store nothing.
        case loadInOutage
        /// The value seen is the answer.
        case finish(isHit: Bool)
        /// A counter is stored here.
        case failWrongKind
    }

    /// How often an entry may change under a caller before it stops asking for the lease.
    static let patience = 5

    private let fence: UInt64?
    private let rules: LoadingRules
    private let limit: Duration
    private let poll: ClosedRange<Duration>

    /// The epochs read since the latest read began; `nil` for a tag that has none.
    private(set) var epochs: [ExactName: TagEpoch?] = [:]
    private var sequence: UInt64?
    private var readSentAt = Instant(nanoseconds: .min)
    private var isFirstSight = true
    private var changes = 0
    private var polls = 0
    private var waitingSince: Instant?
    /// Another node's lease, and until when it may stand.
    private var held: (by: LeaseToken, until: Instant)?

    /// - Parameters:
    ///   - fence: names the invalidation whose effect this read must see.
    ///   - limit: how long a load can take and be stored.
    ///   - poll: how often a caller looks again that waits for a load elsewhere.
    init(fence: UInt64?, limit: Duration, poll: ClosedRange<Duration>, rules: LoadingRules = LoadingRules()) {
        self.fence = fence
        self.limit = limit
        // Between what does not turn a wait into a spin, and what can be doubled ten times.
        let longest = min(max(poll.upperBound, .milliseconds(1)), .seconds(3_600))
        self.poll = min(max(poll.lowerBound, .milliseconds(1)), longest)...longest
        self.rules = rules
    }

    /// The call begins. `open` is any load of the key on this node, whatever the store says of it.
    func start(open: @autoclosure () -> LeaseToken?) -> Action {
        guard !self.rules.joinsOnEvidence else { return .read }
        guard self.fence == nil || !self.rules.fencedReadsWait, let open = open() else { return .read }
        return .join(open)
    }

    /// A read is about to be sent: what was known of epochs is forgotten.
    mutating func readBegins(at now: Instant) {
        self.readSentAt = now
        self.epochs = [:]
        self.sequence = nil
    }

    /// Epochs and the sequence as the store told them.
    mutating func learned(epochs: [ExactName: TagEpoch?], sequence: UInt64? = nil) {
        self.epochs.merge(epochs) { _, new in new }
        if let sequence { self.sequence = sequence }
    }

    /// The store could not be reached: it is taken as empty, and is not written to. A fenced read takes nobody else's word for its value.
    func storeFailed() -> Action { self.fence == nil ? .loadInOutage : .loadAlone }

    /// What the read showed; `own` is the load of this node that holds the lease, if one of this node does.
    mutating func saw(_ sight: Sight, own: OwnLoad?, at now: Instant, random: inout some RandomNumberGenerator) -> Action {
        switch sight {
        case .fresh:
            return .finish(isHit: self.isFirstSight)
        case .needsEpochs(let names):
            return .readEpochs(names, sequence: false)
        case .counter:
            return .failWrongKind
        case .stale(let seen, holder: nil):
            self.isFirstSight = false
            return self.changes < Self.patience ? .open(seen) : .loadAlone
        case .stale(let seen, holder: let holder?):
            self.isFirstSight = false
            if let own { return self.meet(own, token: holder, seen: seen, at: now, random: &random) }
            return self.meet(foreign: holder, seen: seen, at: now, random: &random)
        }
    }

    /// The lease asked for is another's, for `remaining` at most.
    mutating func wasHeld(
        by holder: LeaseToken, remaining: Duration, own: OwnLoad?, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Action {
        guard let own else {
            self.held = (holder, now.advanced(by: remaining))
            return self.wait(at: now, random: &random)
        }
        let next = self.meet(own, token: holder, seen: .absent, at: now, random: &random)
        // The store has just said that the lease stands, so asking again at once would not help.
        if case .open = next { return self.wait(at: now, random: &random) }
        return next
    }

    /// The entry was not the one seen.
    mutating func hasChanged() -> Action {
        self.changes += 1
        return self.changes < Self.patience ? .read : .loadAlone
    }

    // MARK: Leases met

    private mutating func meet(
        foreign holder: LeaseToken, seen: Sighting, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Action {
        if let held, held.by == holder, now < held.until { return self.wait(at: now, random: &random) }
        return self.changes < Self.patience ? .open(seen) : .loadAlone
    }

    private mutating func meet(
        _ own: OwnLoad, token: LeaseToken, seen: Sighting, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Action {
        if let fence, fence != own.fence, self.rules.fencedReadsWait {
            return now < own.leaseEnd ? self.wait(at: now, random: &random) : .open(seen)
        }
        // The store granted the lease later than this node asked for it, so until then it stands for certain.
        guard self.readSentAt < own.leaseEnd else { return .open(seen) }
        guard self.rules.comparesEpochsToJoin else { return .join(token) }
        if own.mayAddTags, own.sequence == nil { return self.wait(at: now, random: &random) }
        let unknown = own.epochs.keys.filter { self.epochs[$0] == nil }.sorted()
        if !unknown.isEmpty || (own.mayAddTags && self.sequence == nil) {
            return .readEpochs(unknown.map(\.text), sequence: own.mayAddTags)
        }
        let isCurrent = own.epochs.allSatisfy { name, epoch in self.epochs[name] == .some(epoch) }
        return isCurrent && (!own.mayAddTags || own.sequence == self.sequence) ? .join(token) : .endLease(token)
    }

    private mutating func wait(at now: Instant, random: inout some RandomNumberGenerator) -> Action {
        let since = self.waitingSince ?? now
        self.waitingSince = since
        // Whoever was waited for this long could not store anything any more.
        if self.rules.boundsWaiting, since.duration(to: now) > self.limit { return .loadAlone }
        let base = min(self.poll.lowerBound * (1 << min(self.polls, 10)), self.poll.upperBound)
        self.polls += 1
        return .wait(base * Double.random(in: 0.5...1, using: &random))
    }
}
